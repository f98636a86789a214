//! One connection, from its first octet to its last.

use std::sync::Arc;

use landmarc_net::{ConnectionDeadline, Peer, TimedStream, serve_http};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::answer::SegmentReceiver;
use crate::certificate::ClientName;
use crate::request::{Admission, Handler};

/// Octets that are read after a handshake that failed. A client that is cut off while it still
/// sends never sees the alert that tells it why.
const MAX_OCTETS_AFTER_ALERT: u64 = 64 * 1024;

/// Shakes hands, then serves requests until the client has had enough, its time is over, or
/// `stopped` says so; then a segment under way is still taken.
pub(crate) async fn serve<T, IO>(
    stream: IO,
    peer: Peer,
    acceptor: TlsAcceptor,
    shared: Arc<Handler<T>>,
    mut stopped: watch::Receiver<bool>,
) where
    T: SegmentReceiver,
    IO: AsyncRead + AsyncWrite + Unpin,
{
    // Without TLS there is no way to say that there is no room: the connection is closed.
    let Ok(handshake) = shared.handshakes.try_acquire() else {
        tracing::debug!(%peer, "too many TLS handshakes at once");
        return;
    };
    let shaken = tokio::select! {
        biased;
        shaken = timeout(shared.limits.handshake_timeout, shake_hands(stream, &acceptor, peer)) => shaken,
        _ = stopped.wait_for(|&stopped| stopped) => return,
    };
    let Ok(Some((stream, client))) = shaken else {
        return;
    };
    // A client past the limit keeps its place among the handshakes, so there is an end to those, too.
    let (admission, _permit) = match shared.served.try_acquire() {
        Ok(permit) => {
            drop(handshake);
            (Admission::Served, permit)
        }
        Err(_) => (Admission::Full, handshake),
    };
    converse(stream, &client, admission, &shared, stopped).await;
}

/// TLS, up to the certificate of the client; none when it failed.
async fn shake_hands<IO>(
    stream: IO,
    acceptor: &TlsAcceptor,
    peer: Peer,
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
            log_failed_handshake(peer, &error);
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
fn log_failed_handshake(peer: Peer, error: &std::io::Error) {
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

/// Serves the requests of a client that has shown its certificate.
async fn converse<T, IO>(
    stream: IO,
    client: &ClientName,
    admission: Admission,
    shared: &Handler<T>,
    stopped: watch::Receiver<bool>,
) where
    T: SegmentReceiver,
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let deadline = ConnectionDeadline::new(shared.limits.timeouts);
    let stream = TimedStream::new(stream, deadline.clone());
    let respond = |request| shared.respond(request, client, admission, &deadline);
    match deadline
        .limit(serve_http(
            stream,
            respond,
            &deadline,
            shared.limits.http,
            stopped,
        ))
        .await
    {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%client, %error, "a connection ended early"),
        None => tracing::debug!(%client, "a client took too long"),
    }
}

#[cfg(test)]
mod tests;
