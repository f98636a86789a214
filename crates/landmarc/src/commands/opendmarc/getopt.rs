//! Command lines as Perl's Getopt::Long reads them, which OpenDMARC's tools use: one hyphen or two, names in
//! any case and as short as they are unique, `--no` before a switch, options among the operands.

use std::ffi::OsString;

/// An option that a program knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToolOption {
    pub(super) name: &'static str,
    pub(super) takes: OptionValue,
    /// A line for the usage.
    pub(super) help: &'static str,
}

/// What stands behind an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OptionValue {
    /// Nothing; `--no` before it says the opposite.
    Nothing,
    /// A text.
    Text,
}

/// An option that takes a text.
pub(super) const fn text(name: &'static str, help: &'static str) -> ToolOption {
    ToolOption {
        name,
        takes: OptionValue::Text,
        help,
    }
}

/// A switch.
pub(super) const fn switch(name: &'static str, help: &'static str) -> ToolOption {
    ToolOption {
        name,
        takes: OptionValue::Nothing,
        help,
    }
}

/// What a command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ParsedOptions {
    texts: Vec<(&'static str, String)>,
    switches: Vec<(&'static str, bool)>,
    /// What is no option.
    pub(super) operands: Vec<String>,
}

impl ParsedOptions {
    /// The text behind an option; the last one counts.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    /// All texts behind an option, in order.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.texts.iter().filter(move |(known, _)| *known == name);
        of_name.map(|(_, text)| text.as_str())
    }

    /// Whether a switch is on or off, where it was given; the last one counts.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        let of_name = self.switches.iter().filter(|(known, _)| *known == name);
        of_name.map(|(_, is_on)| *is_on).next_back()
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.switch(name).unwrap_or(false)
    }

    /// Whether an option was given at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.text(name).is_some() || self.switch(name).is_some()
    }
}

/// What is wrong with a command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OptionError {
    #[error("unknown option: {0}")]
    Unknown(String),
    #[error("option {0} is ambiguous ({1})")]
    Ambiguous(String, String),
    #[error("option {0} requires an argument")]
    Missing(&'static str),
    #[error("option {0} does not take an argument")]
    Superfluous(&'static str),
    #[error("{0:?} is no text")]
    NoText(OsString),
}

/// Reads a command line without the name of the program.
///
/// # Errors
/// With the first thing that is wrong.
pub(super) fn read(known: &[ToolOption], arguments: &[OsString]) -> Result<ParsedOptions, OptionError> {
    let mut given = ParsedOptions::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let word = as_text(word)?;
        if word == "--" {
            for rest in words.by_ref() {
                given.operands.push(as_text(rest)?.to_owned());
            }
            break;
        }
        let Some(option) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            given.operands.push(word.to_owned());
            continue;
        };
        let option = option.strip_prefix('-').unwrap_or(option);
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        let (found, is_on) = find(known, name)?;
        match (found.takes, value) {
            (OptionValue::Nothing, None) => given.switches.push((found.name, is_on)),
            (OptionValue::Nothing, Some(_)) => return Err(OptionError::Superfluous(found.name)),
            (OptionValue::Text, Some(value)) => given.texts.push((found.name, value.to_owned())),
            (OptionValue::Text, None) => {
                let value = words.next().ok_or(OptionError::Missing(found.name))?;
                given.texts.push((found.name, as_text(value)?.to_owned()));
            }
        }
    }
    Ok(given)
}

fn as_text(word: &OsString) -> Result<&str, OptionError> {
    word.to_str().ok_or_else(|| OptionError::NoText(word.clone()))
}

/// The option of this name, and whether it is switched on.
fn find<'a>(known: &'a [ToolOption], name: &str) -> Result<(&'a ToolOption, bool), OptionError> {
    let name = name.to_ascii_lowercase();
    let is_exact = |one: &&ToolOption| one.name == name;
    if let Some(found) = known.iter().find(is_exact) {
        return Ok((found, true));
    }
    let positive = known.iter().map(|one| (one, true, Some(name.as_str())));
    let negated = name.strip_prefix("no-").or_else(|| name.strip_prefix("no"));
    let switches = known.iter().filter(|one| one.takes == OptionValue::Nothing);
    let negative = switches.map(|one| (one, false, negated));
    let mut found: Vec<(&ToolOption, bool)> = Vec::new();
    for (one, is_on, name) in positive.chain(negative) {
        match name {
            Some(name) if !is_on && one.name == name => return Ok((one, false)),
            Some(name) if !name.is_empty() && one.name.starts_with(name) => found.push((one, is_on)),
            _ => {}
        }
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(OptionError::Unknown(name)),
        several => {
            let names: Vec<_> = several.iter().map(|(one, _)| one.name).collect();
            Err(OptionError::Ambiguous(name, names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [ToolOption; 6] = [
        text("domain", ""),
        text("nodomain", ""),
        text("dbhost", ""),
        text("dbname", ""),
        switch("update", ""),
        switch("verbose", ""),
    ];

    fn given(words: &[&str]) -> Result<ParsedOptions, OptionError> {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        read(&KNOWN, &words)
    }

    #[test]
    fn options_are_read_as_perl_reads_them() {
        for words in [
            &["--dbhost=db.example"][..],
            &["--dbhost", "db.example"],
            &["-dbhost", "db.example"],
            &["--DBhost=db.example"],
            &["--dbh=db.example"],
        ] {
            assert_eq!(
                given(words).unwrap().text("dbhost"),
                Some("db.example"),
                "{words:?}"
            );
        }
        let several = given(&["--nodomain=a", "x", "--nodomain", "b", "--", "--y"]).unwrap();
        assert_eq!(several.all("nodomain").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(several.operands, ["x", "--y"]);
        assert_eq!(given(&["-"]).unwrap().operands, ["-"]);
    }

    /// `--noupdate` switches `update` off, and `--nodomain` is an option of its own.
    #[test]
    fn no_before_a_switch_switches_it_off() {
        for words in [&["--noupdate"], &["--no-update"], &["--noup"]] {
            assert_eq!(given(words).unwrap().switch("update"), Some(false), "{words:?}");
        }
        assert_eq!(
            given(&["--noupdate", "--update"]).unwrap().switch("update"),
            Some(true)
        );
        assert_eq!(given(&["--nodomain=x"]).unwrap().text("nodomain"), Some("x"));
        assert_eq!(
            given(&["--nodbhost=x"]),
            Err(OptionError::Unknown("nodbhost".to_owned()))
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |words: &[&str]| given(words).unwrap_err().to_string();
        assert_eq!(wrong(&["--frob"]), "unknown option: frob");
        insta::assert_snapshot!(wrong(&["--db=x"]), @"option db is ambiguous (dbhost, dbname)");
        insta::assert_snapshot!(wrong(&["--dbhost"]), @"option dbhost requires an argument");
        insta::assert_snapshot!(wrong(&["--verbose=1"]), @"option verbose does not take an argument");
    }
}
