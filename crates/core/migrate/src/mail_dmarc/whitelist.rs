//! The hosts that Mail::DMARC lets by although DMARC fails (`dmarc_whitelist`), as rules of this server.
//!
//! A line is an address, a reason type and a comment, with white space between them; `#` begins a comment.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::limits::{MAX_FILE, MAX_HOSTS, MAX_LINE};
use super::mistake::{IniError, IniMistake, in_order};
use crate::file::toml_list;
use landmarc_settings::toml_string;

/// The longest reason of a rule, in octets; the comment of a longer one is cut.
const MAX_REASON: usize = 200;

/// Why a host is let by where its line does not say.
const NO_COMMENT: &str = "it was in the whitelist of Mail::DMARC";

/// The types of the whitelist, and what our rules call them. RFC 9990 has no word for the last two.
const TYPES: [(&str, &str); 6] = [
    ("trusted_forwarder", "trusted_forwarder"),
    ("mailing_list", "mailing_list"),
    ("local_policy", "local_policy"),
    ("other", "other"),
    ("forwarded", "other"),
    ("sampled_out", "other"),
];

/// A rules file that lets the same hosts by for the same reasons: one rule for each type and comment, in the
/// order of the file.
///
/// # Errors
/// Every line that is none, with its number.
pub fn rules(file: &[u8]) -> Result<String, Vec<IniMistake>> {
    let hosts = read(file)?;
    let mut rules: Vec<(&Host, Vec<IpAddr>)> = Vec::new();
    for (address, host) in &hosts {
        let same =
            |rule: &&mut (&Host, Vec<IpAddr>)| (rule.0.kind, &rule.0.comment) == (host.kind, &host.comment);
        match rules.iter_mut().find(same) {
            Some((first, addresses)) => {
                if host.line < first.line {
                    *first = host;
                }
                addresses.push(*address);
            }
            None => rules.push((host, vec![*address])),
        }
    }
    rules.sort_by_key(|(first, _)| first.line);
    Ok(render(&rules))
}

/// What a line says of its address.
struct Host {
    line: usize,
    kind: &'static str,
    comment: String,
}

/// The hosts; of one that is there twice the last line counts, as in Mail::DMARC.
fn read(file: &[u8]) -> Result<BTreeMap<IpAddr, Host>, Vec<IniMistake>> {
    if file.len() > MAX_FILE {
        let octets = file.len();
        return Err(vec![IniMistake::new(0, IniError::FileTooLong { octets })]);
    }
    let (mut hosts, mut mistakes) = (BTreeMap::new(), Vec::new());
    for (at, octets) in file.split(|octet| *octet == b'\n').enumerate() {
        match read_line(at + 1, octets) {
            Ok(Some((address, host))) => {
                hosts.insert(address, host);
            }
            Ok(None) => {}
            Err(wrong) => mistakes.push(IniMistake::new(at + 1, wrong)),
        }
    }
    if hosts.len() > MAX_HOSTS {
        mistakes.push(IniMistake::new(0, IniError::TooManyHosts));
    }
    match mistakes.is_empty() {
        true => Ok(hosts),
        false => Err(in_order(mistakes)),
    }
}

fn read_line(line: usize, octets: &[u8]) -> Result<Option<(IpAddr, Host)>, IniError> {
    if octets.len() > MAX_LINE {
        return Err(IniError::LineTooLong { octets: octets.len() });
    }
    let text = str::from_utf8(octets).map_err(|_| IniError::NotUtf8)?.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    if text.contains(|character: char| character.is_control() && character != '\t') {
        return Err(IniError::Control);
    }
    let (address, rest) = word(text);
    let (kind, comment) = word(rest);
    let parsed = address.parse().map_err(|_| IniError::NoAddress {
        text: address.to_owned(),
    })?;
    let host = Host {
        line,
        kind: our_type(kind)?,
        comment: shortened(comment),
    };
    Ok(Some((parsed, host)))
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

fn our_type(kind: &str) -> Result<&'static str, IniError> {
    if kind.is_empty() {
        return Ok("other");
    }
    let found = TYPES.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(kind));
    found
        .map(|(_, ours)| *ours)
        .ok_or_else(|| IniError::NoReasonType {
            text: kind.to_owned(),
        })
}

/// The comment as one reason: its white space single, at most [`MAX_REASON`] octets.
fn shortened(comment: &str) -> String {
    let mut reason = String::new();
    for character in comment.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if reason.len() + character.len_utf8() > MAX_REASON {
            break;
        }
        reason.push(character);
    }
    match reason.trim_end() {
        "" => NO_COMMENT.to_owned(),
        reason => reason.to_owned(),
    }
}

fn render(rules: &[(&Host, Vec<IpAddr>)]) -> String {
    let mut file =
        "# Made from the whitelist of Mail::DMARC. See docs/rules.md: prefer rules that name the\n\
                    # signature of a forwarder over those that name its address.\n"
            .to_owned();
    for (number, (first, addresses)) in rules.iter().enumerate() {
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let _ = write!(
            file,
            "\n# from line {}\n[[rule]]\nname = \"mail-dmarc-{}\"\nclient = {}\naction = \"accept\"\n\
             override = \"{}\"\nreason = {}\nowner = \"whitelist of Mail::DMARC\"\n",
            first.line,
            number + 1,
            toml_list(&addresses),
            first.kind,
            toml_string(&first.comment),
        );
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(file: &str) -> Vec<String> {
        let mistakes = rules(file.as_bytes()).expect_err("it is broken");
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hosts_of_one_reason_are_one_rule() {
        let file = "# Format: IP type comment\n\n127.0.0.3 trusted_forwarder Test \"Comment\"\n127.0.0.1\n\
                    168.100.1.1\tmailing_list   cloud9.net\n2604:8d00:0:1::3 mailing_list cloud9.net\n\
                    140.211.11.3 forwarded apache.org\r\n168.100.1.1 local_policy";
        let made = rules(file.as_bytes()).unwrap();
        let (read, warnings) =
            landmarc_settings::rules::read(&made).unwrap_or_else(|error| panic!("{}", error.render("made")));
        assert_eq!((read.len(), warnings.len()), (5, 0));
        insta::assert_snapshot!(made);
    }

    #[test]
    fn an_empty_whitelist_makes_no_rule() {
        let made = rules(b"# nothing\n").unwrap();
        assert_eq!(landmarc_settings::rules::read(&made).unwrap().0.len(), 0);
    }

    #[test]
    fn lines_that_are_none_are_told() {
        assert_eq!(
            refused("mx.example.org mailing_list\n\n192.0.2.1 friend\n192.0.2.0/24 other net"),
            [
                "line 1: \"mx.example.org\" is no IP address",
                "line 3: \"friend\" is no reason type",
                "line 4: \"192.0.2.0/24\" is no IP address"
            ]
        );
    }

    #[test]
    fn a_thousand_hosts_and_no_more() {
        let many = |count: usize| -> String {
            let line = |at: usize| format!("2001:db8::{at:x} other {}\n", "é".repeat(200));
            (1..=count).map(line).collect()
        };
        // Their comments are longer than a line of ours may be, and cut.
        let made = rules(many(300).as_bytes()).unwrap();
        assert_eq!(landmarc_settings::rules::read(&made).unwrap().0.len(), 1);
        let short = |count: usize| many(count).replace('é', "");
        let made = rules(short(MAX_HOSTS).as_bytes()).unwrap();
        assert_eq!(landmarc_settings::rules::read(&made).unwrap().0.len(), 1);
        assert_eq!(refused(&short(MAX_HOSTS + 1)), ["more than 1000 hosts"]);
    }
}
