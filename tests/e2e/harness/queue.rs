//! Messages in a queue, read with Postfix's own `postcat`.

use std::fs;
use std::io;
use std::path::Path;

/// One message that waits in a queue.
#[derive(Clone, Debug)]
pub struct HeldMessage {
    /// The queue id.
    pub queue_id: String,
    /// The reverse-path, without angle brackets.
    pub mail_from: String,
    /// The forward-paths, without angle brackets.
    pub rcpt_to: Vec<String>,
    /// Header and body with LF line ends, as `postcat` prints them.
    pub message: Vec<u8>,
}

/// All messages in a queue folder that is not hashed, by queue id.
///
/// `postcat` is given a file and an option: `-e` for the envelope, `-bh` for the content.
pub(super) fn messages(
    folder: &Path,
    postcat: impl Fn(&Path, &str) -> io::Result<Vec<u8>>,
) -> io::Result<Vec<HeldMessage>> {
    let mut messages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let envelope = postcat(&entry.path(), "-e")?;
        let envelope = String::from_utf8_lossy(&envelope);
        messages.push(HeldMessage {
            queue_id: entry.file_name().to_string_lossy().into_owned(),
            mail_from: values(&envelope, "sender").next().unwrap_or_default(),
            rcpt_to: values(&envelope, "recipient").collect(),
            message: postcat(&entry.path(), "-bh")?,
        });
    }
    messages.sort_by(|one, other| one.queue_id.cmp(&other.queue_id));
    Ok(messages)
}

fn values<'a>(envelope: &'a str, key: &'a str) -> impl Iterator<Item = String> + 'a {
    envelope
        .lines()
        .filter_map(move |line| line.strip_prefix(key)?.strip_prefix(':'))
        .map(|value| value.trim().to_owned())
}
