//! Lines of others, read under a limit.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Reads a line without its LF. Whether it is whole: past `limit` octets the rest of it is dropped. Nothing at the end of
/// the input: what has no end is not a line.
pub(crate) async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    limit: usize,
) -> io::Result<Option<bool>> {
    line.clear();
    let mut is_whole = true;
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            return Ok(None);
        }
        let end = available.iter().position(|b| *b == b'\n');
        let part = available
            .get(..end.unwrap_or(available.len()))
            .unwrap_or_default();
        let room = limit.saturating_sub(line.len());
        line.extend_from_slice(part.get(..room).unwrap_or(part));
        is_whole &= part.len() <= room;
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some(is_whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_has_a_limit_and_the_next_one_is_whole() {
        let mut input = &b"abc\nabcd\nab\nno end"[..];
        let mut line = Vec::new();
        for (text, is_whole) in [(&b"abc"[..], true), (b"abc", false), (b"ab", true)] {
            assert_eq!(read_line(&mut input, &mut line, 3).await.unwrap(), Some(is_whole));
            assert_eq!(line, text);
        }
        assert_eq!(read_line(&mut input, &mut line, 3).await.unwrap(), None);
    }
}
