//! A TCP stream that acknowledges at once.
//!
//! Most packets get no answer from us, and Postfix leaves the algorithm of Nagle on: its
//! next packet waits until the last one is acknowledged. The system, for its part, holds
//! acknowledgements back for some 40 ms in the hope of an answer to send them with. Each
//! message through a TCP socket would pay for that at least once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The stream of one connection.
#[derive(Debug)]
pub(crate) struct QuickAckStream(TcpStream);

impl QuickAckStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Our one answer must not wait for the acknowledgement of an earlier one. Without
        // it, and without the other option, all works, if more slowly: no reason to refuse
        // mail.
        let _ = stream.set_nodelay(true);
        Self(stream)
    }

    /// The system forgets about it whenever we send; hence again after each read.
    #[cfg(target_os = "linux")]
    fn acknowledge(&self) {
        let _ = self.0.set_quickack(true);
    }

    #[cfg(not(target_os = "linux"))]
    fn acknowledge(&self) {}
}

impl AsFd for QuickAckStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsyncRead for QuickAckStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        if read.is_ready() {
            self.acknowledge();
        }
        read
    }
}

impl AsyncWrite for QuickAckStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_was_read_is_acknowledged_at_once_each_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut mta = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut stream = QuickAckStream::new(listener.accept().await.unwrap().0);
        assert!(stream.0.nodelay().unwrap());
        for _ in 0..2 {
            // As the system does of itself, in a conversation.
            stream.0.set_quickack(false).unwrap();
            mta.write_all(b"packet").await.unwrap();
            stream.read_exact(&mut [0; 6]).await.unwrap();
            assert!(stream.0.quickack().unwrap());
        }
    }
}
