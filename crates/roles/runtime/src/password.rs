//! Passwords stand on the first line of a file of their own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

/// Octets of a first line: a password is short, whatever the file is.
const MAX_OCTETS: usize = 4_096;

/// The first line of the file, without its end.
///
/// # Errors
/// When it cannot be read, is no text, or has more than 4,096 octets.
pub fn first_line(file: &Path) -> io::Result<String> {
    let mut line = String::new();
    let limit = MAX_OCTETS as u64 + 2;
    BufReader::new(File::open(file)?.take(limit)).read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    match password.len() > MAX_OCTETS {
        true => Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("its first line has more than {MAX_OCTETS} octets"),
        )),
        false => Ok(password.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::*;

    #[test]
    fn a_password_at_the_limit_and_one_past_it() {
        let path = env::temp_dir().join(format!("landmarc-password-{}", process::id()));
        for (octets, is_taken) in [(0, true), (MAX_OCTETS, true), (MAX_OCTETS + 1, false)] {
            let password = "x".repeat(octets);
            for end in ["", "\n", "\r\n", "\nmore\n"] {
                fs::write(&path, format!("{password}{end}")).unwrap();
                let found = first_line(&path);
                assert_eq!(found.is_ok(), is_taken, "{octets} octets and {end:?}");
                assert!(found.is_err() || found.unwrap() == password);
            }
        }
        fs::remove_file(&path).unwrap();
    }
}
