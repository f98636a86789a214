//! What stands on the command line: a command, and pairs of `--key value`.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::corpus::{Corpus, Keys};
use crate::drive::Load;
use crate::verdict::Check;

/// Keys that are understood, so that a misspelt one is not passed over in silence.
const KEYS: [&str; 18] = [
    "binary",
    "connections",
    "delay",
    "delay-messages",
    "filters",
    "folder",
    "messages",
    "mode",
    "only",
    "opendmarc-messages",
    "per-connection",
    "postfix",
    "repeat",
    "report-messages",
    "seed",
    "settings",
    "socket",
    "tools",
];

/// What stands behind the command.
#[derive(Debug, Default)]
pub(crate) struct Options(HashMap<String, String>);

impl Options {
    /// Reads pairs of `--key value`.
    ///
    /// # Errors
    /// When a word is no key that is known, or the last key has no value.
    pub(crate) fn read(words: &[String]) -> io::Result<Self> {
        let mut options = HashMap::new();
        for pair in words.chunks(2) {
            let key = pair.first().and_then(|word| word.strip_prefix("--"));
            let known = key.filter(|key| KEYS.contains(key));
            let (Some(key), Some(value)) = (known, pair.get(1)) else {
                return Err(io::Error::other(format!("{pair:?} is no option with its value")));
            };
            options.insert(key.to_owned(), value.clone());
        }
        Ok(Self(options))
    }

    pub(crate) fn text<'a>(&'a self, key: &str, default: &'a str) -> &'a str {
        self.0.get(key).map_or(default, String::as_str)
    }

    pub(crate) fn number(&self, key: &str, default: usize) -> io::Result<usize> {
        self.0.get(key).map_or(Ok(default), |text| parse(key, text))
    }

    /// Numbers with commas between.
    pub(crate) fn numbers(&self, key: &str, default: &str) -> io::Result<Vec<usize>> {
        let list = self.text(key, default).split(',');
        list.map(|text| parse(key, text)).collect()
    }

    /// Where sockets, settings, databases and logs are put.
    pub(crate) fn folder(&self) -> io::Result<PathBuf> {
        let default = || std::env::temp_dir().join("landmarc-benches");
        let folder = self.0.get("folder").map_or_else(default, PathBuf::from);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The program that is measured: by default the one that was built beside this.
    pub(crate) fn binary(&self) -> io::Result<PathBuf> {
        let beside = std::env::current_exe()?.with_file_name("landmarc");
        Ok(self.0.get("binary").map_or(beside, PathBuf::from))
    }

    /// Where the packages of the peers are unpacked; the root where they are installed.
    pub(crate) fn tools(&self) -> &Path {
        Path::new(self.text("tools", "/"))
    }

    /// Where the package of Postfix is unpacked: by default where `scripts/test` puts it.
    pub(crate) fn postfix(&self) -> PathBuf {
        let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/postfix");
        self.0.get("postfix").map_or_else(default, PathBuf::from)
    }

    pub(crate) fn corpus(&self, messages: usize) -> io::Result<Corpus> {
        let seed = self.number("seed", 1)? as u64;
        let count = self.number("messages", messages)?;
        Ok(Corpus::generate(seed, count, &Keys::read()?))
    }

    /// What is compared with what is expected of landmarc.
    pub(crate) fn check(&self) -> io::Result<Check> {
        match self.text("mode", "enforce") {
            "enforce" => Ok(Check::Enforcing),
            "observe" => Ok(Check::Observing),
            other => Err(io::Error::other(format!(
                "mode {other:?} is neither enforce nor observe"
            ))),
        }
    }

    pub(crate) fn load<'a>(
        &self,
        address: &'a str,
        connections: usize,
        check: Check,
    ) -> io::Result<Load<'a>> {
        Ok(Load {
            address,
            connections,
            per_connection: self.number("per-connection", 1)?,
            check,
        })
    }
}

fn parse(key: &str, text: &str) -> io::Result<usize> {
    text.parse()
        .map_err(|error| io::Error::other(format!("--{key} {text:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> io::Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&words)
    }

    #[test]
    fn pairs_are_read_and_the_rest_has_defaults() {
        let options = read("--connections 8,128 --seed 7").unwrap();
        assert_eq!(options.numbers("connections", "1").unwrap(), [8, 128]);
        assert_eq!(options.number("seed", 1).unwrap(), 7);
        assert_eq!(options.number("repeat", 3).unwrap(), 3);
        assert_eq!(options.tools(), Path::new("/"));
    }

    #[test]
    fn what_is_not_understood_is_told() {
        for line in ["--conections 8", "connections 8", "--connections"] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.ends_with("is no option with its value"), "{error}");
        }
        let options = read("--seed one").unwrap();
        let error = options.number("seed", 1).unwrap_err().to_string();
        assert_eq!(error, "--seed \"one\": invalid digit found in string");
    }
}
