//! Octets in both directions, watched.

use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::error::GuardError;
use crate::frames::Watch;

/// Octets that are read at once.
const CHUNK: usize = 32 * 1024;

/// Carries until one side ends. What the server sends goes on only when it is accepted.
pub(crate) async fn pump<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut UnixStream,
    server: &mut S,
    watch: impl Watch,
) -> Result<(), GuardError> {
    let watch = Mutex::new(watch);
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let asking = async {
        let mut chunk = vec![0; CHUNK];
        while let octets @ [_, ..] = some(&mut from_client, &mut chunk).await? {
            watch.lock().unwrap_or_else(PoisonError::into_inner).asked(octets);
            to_server.write_all(octets).await?;
            to_server.flush().await?;
        }
        Ok(())
    };
    let answering = async {
        let mut chunk = vec![0; CHUNK];
        while let octets @ [_, ..] = some(&mut from_server, &mut chunk).await? {
            watch
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .sent(octets)?;
            to_client.write_all(octets).await?;
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = asking => ended,
        ended = answering => ended,
    };
    match ended {
        // A connection that breaks is one that ends: the library says so in its own words.
        Err(GuardError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => Ok(()),
        ended => ended,
    }
}

/// What is there; nothing at the end.
async fn some<'c>(from: &mut (impl AsyncRead + Unpin), chunk: &'c mut [u8]) -> Result<&'c [u8], GuardError> {
    let count = from.read(chunk).await?;
    Ok(chunk.get(..count).unwrap_or_default())
}
