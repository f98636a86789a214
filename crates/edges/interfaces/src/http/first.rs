//! The first octets of a connection, which say what it speaks.

use std::io::{self, Cursor};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, join, split};

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// HTTP/1.0 or 1.1.
    Http,
    /// The protocol of rspamd before it spoke HTTP, as Exim still does.
    Rspamc,
}

/// Octets that are looked at: the longest command of RSPAMC, and the blank and name after it.
const LOOK: usize = 24;

/// Looks at the first line. What was read for it is read again from the stream that is returned.
///
/// # Errors
/// When the connection fails before it says anything.
pub(super) async fn look<IO>(
    mut stream: IO,
) -> io::Result<(Language, impl AsyncRead + AsyncWrite + Unpin + Send + 'static)>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut first = Vec::with_capacity(LOOK);
    let language = loop {
        if let Some(language) = of(&first) {
            break language;
        }
        let room = u64::try_from(LOOK - first.len()).unwrap_or_default();
        if (&mut stream).take(room).read_buf(&mut first).await? == 0 {
            break Language::Http;
        }
    };
    let (rest, output) = split(stream);
    Ok((language, join(Cursor::new(first).chain(rest), output)))
}

/// What a first line that begins so is of; nothing while that cannot be said.
fn of(first: &[u8]) -> Option<Language> {
    // `CHECK RSPAMC/1.3`; a target of HTTP begins with a slash, a star or a scheme.
    let Some(blank) = first.iter().position(|b| *b == b' ') else {
        let is_done = first.len() >= LOOK || first.contains(&b'\n');
        return is_done.then_some(Language::Http);
    };
    let name = b"RSPAMC/";
    let after = first.get(blank + 1..).unwrap_or_default();
    if after.len() >= name.len() {
        let is_rspamc = after.starts_with(name);
        return Some(if is_rspamc {
            Language::Rspamc
        } else {
            Language::Http
        });
    }
    let may_be = name.starts_with(after) && first.len() < LOOK;
    (!may_be).then_some(Language::Http)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    /// However it is cut, and whatever follows, all of it can be read again.
    async fn looked(octets: &[u8], piece: usize) -> Language {
        let (ours, mut theirs) = duplex(1024);
        let sent = octets.to_vec();
        let sender = async move {
            for part in sent.chunks(piece) {
                theirs.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let reader = async {
            let (language, mut stream) = look(ours).await.unwrap();
            let mut read = Vec::new();
            stream.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, octets);
            language
        };
        tokio::join!(reader, sender).0
    }

    #[tokio::test]
    async fn the_first_line_says_what_is_spoken() {
        for (octets, expected) in [
            (
                &b"CHECK RSPAMC/1.3\r\nContent-length: 3\r\n\r\nabc"[..],
                Language::Rspamc,
            ),
            (b"SYMBOLS RSPAMC/1.1\r\n\r\n", Language::Rspamc),
            (b"PING RSPAMC/1.0", Language::Rspamc),
            (b"POST /v1/check HTTP/1.1\r\n\r\n", Language::Http),
            (b"GET RSPAM HTTP/1.1\r\n\r\n", Language::Http),
            (b"CHECK RSPAM", Language::Http),
            (b"", Language::Http),
            (b"\n", Language::Http),
            (b"AVERYLONGWORDTHATISNOCOMMANDOFANYPROTOCOL", Language::Http),
            (b"AVERYLONGWORDTHATISNO RSPAMC/1.3", Language::Http),
        ] {
            for piece in [1, 2, 7, 100] {
                assert_eq!(looked(octets, piece).await, expected, "{}", octets.escape_ascii());
            }
        }
    }
}
