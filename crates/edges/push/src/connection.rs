//! One connection, from its first octet to its last.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::answer::Taker;
use crate::certificate::ClientName;
use crate::limits::Limits;
use crate::patience::{Patience, Watched};
use crate::request::{Desk, Seat};

/// Octets that are read after a handshake that failed. A client that is cut off while it still
/// sends never sees the alert that tells it why.
const MAX_OCTETS_AFTER_ALERT: u64 = 64 * 1024;

/// What all connections of a server share.
pub(crate) struct Hall<T> {
    pub(crate) desk: Desk<T>,
    pub(crate) limits: Limits,
    /// One for each client that is served.
    pub(crate) seats: Arc<Semaphore>,
}

/// Shakes hands, then serves requests until the client has had enough, its time is over, or
/// `stopped` says so; then a segment under way is still taken. `waiting` is the place among those
/// that have not yet shown a certificate.
pub(crate) async fn serve<T, IO>(
    stream: IO,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    hall: Arc<Hall<T>>,
    mut stopped: watch::Receiver<bool>,
    waiting: OwnedSemaphorePermit,
) where
    T: Taker,
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let shaken = tokio::select! {
        biased;
        shaken = timeout(hall.limits.handshake_timeout, shake_hands(stream, &acceptor, peer)) => shaken,
        _ = stopped.wait_for(|&stopped| stopped) => return,
    };
    let Ok(Some((stream, client))) = shaken else {
        return;
    };
    // Whoever finds no seat keeps the place among those who wait, so there is an end to those, too.
    let (seat, _permit) = match Arc::clone(&hall.seats).try_acquire_owned() {
        Ok(permit) => {
            drop(waiting);
            (Seat::Taken, permit)
        }
        Err(_) => (Seat::None, waiting),
    };
    let patience = Patience::new(hall.limits);
    let conversation = converse(stream, &client, seat, &hall, &patience, stopped);
    tokio::select! {
        biased;
        () = conversation => {}
        () = patience.at_its_end() => tracing::debug!(%peer, %client, "a client took too long"),
    }
}

/// TLS, up to the certificate of the client; none when it failed.
async fn shake_hands<IO>(
    stream: IO,
    acceptor: &TlsAcceptor,
    peer: SocketAddr,
) -> Option<(TlsStream<IO>, ClientName)>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => {
            let certificates = stream.get_ref().1.peer_certificates();
            // There is one, because it is required.
            let client = certificates.and_then(|all| all.first()).map(ClientName::of)?;
            Some((stream, client))
        }
        Err((error, stream)) => {
            tell(peer, &error);
            let (mut reader, mut writer) = tokio::io::split(stream);
            // What is left of the connection is of no interest.
            let _ = writer.shutdown().await;
            let _ = tokio::io::copy(
                &mut (&mut reader).take(MAX_OCTETS_AFTER_ALERT),
                &mut tokio::io::sink(),
            )
            .await;
            None
        }
    }
}

/// A host with the wrong certificate is for somebody to look at; what else knocks at an open port
/// is not.
fn tell(peer: SocketAddr, error: &std::io::Error) {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            tracing::warn!(%peer, %error, "a client is turned away for its certificate");
        }
        _ => tracing::debug!(%peer, %error, "a TLS handshake failed"),
    }
}

async fn converse<T, IO>(
    stream: IO,
    client: &ClientName,
    seat: Seat,
    hall: &Hall<T>,
    patience: &Patience,
    mut stopped: watch::Receiver<bool>,
) where
    T: Taker,
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| async move {
        let response = hall.desk.respond(request, client, seat, patience).await;
        patience.answer();
        Ok::<_, Infallible>(response)
    });
    let header_octets = hall.limits.header_octets.max(Limits::LEAST_HEADER_OCTETS);
    let connection = http1::Builder::new()
        // Our own deadline is for more than the header section.
        .header_read_timeout(None)
        .max_header_size(header_octets)
        .max_buf_size(header_octets)
        .max_headers(hall.limits.headers)
        // A client that sends all it has to say, and then its end, still reads.
        .half_close(true)
        .serve_connection(TokioIo::new(Watched::new(stream, patience.clone())), service);
    let mut connection = pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%client, %error, "a connection ended early");
                }
                return;
            }
            _ = stopped.wait_for(|&stopped| stopped), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests;
