//! opendmarc.conf as text: its lines, and what each says (C1 to C9).

use super::broken::{ConfError, ConfMistake, MAX_FILE_OCTETS, MAX_LINE_OCTETS};
use super::parameter::{Kind, Parameter, Spelling, spelling};
use super::rate::{self, Rate};
use super::socket;

/// What a settings file of OpenDMARC says: the lines that can be understood, and those that cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    pub(super) entries: Vec<ConfEntry>,
    broken: Vec<ConfMistake>,
}

/// A line that sets a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfEntry {
    /// Its number, from 1; none where the command line says it.
    pub line: Option<usize>,
    /// The name as the line has it, in the documentation's case.
    pub name: &'static str,
    /// What it sets.
    pub parameter: Parameter,
    /// To what; blanks at its ends are not part of it.
    pub value: String,
    /// The name that came in place of this one (C9).
    pub now: Option<&'static str>,
}

impl ConfEntry {
    /// The truth value, where it takes one.
    pub(super) fn flag(&self) -> Option<bool> {
        truth(&self.value)
    }

    /// The number, where it takes one.
    pub(super) fn number(&self) -> Option<i64> {
        integer(&self.value)
    }
}

/// Reads a settings file. An empty one says nothing, and everything is at its default (C1).
#[must_use]
pub fn read(octets: &[u8]) -> Conf {
    let mut conf = Conf::default();
    if octets.len() > MAX_FILE_OCTETS {
        conf.broken.push(ConfMistake {
            line: 0,
            wrong: ConfError::FileTooLong,
        });
        return conf;
    }
    for (index, line) in octets.split(|octet| *octet == b'\n').enumerate() {
        let number = index + 1;
        match read_line(line) {
            Ok(None) => {}
            Ok(Some((spelling, value))) => conf.entries.push(ConfEntry {
                line: Some(number),
                name: spelling.name,
                parameter: spelling.parameter,
                value,
                now: spelling.now,
            }),
            Err(wrong) => conf.broken.push(ConfMistake { line: number, wrong }),
        }
    }
    conf.refuse_sockets();
    conf
}

/// One line: nothing, or a parameter and its value.
fn read_line(line: &[u8]) -> Result<Option<(&'static Spelling, String)>, ConfError> {
    // C7. Files that came from Windows end their lines with CR LF; OpenDMARC would take the CR for a
    // part of the value.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > MAX_LINE_OCTETS {
        return Err(ConfError::TooLong { octets: line.len() });
    }
    // C2: a hash ends the line wherever it stands.
    let line = line.split(|octet| *octet == b'#').next().unwrap_or_default();
    let line = match std::str::from_utf8(line) {
        Ok(line) => line.trim_matches([' ', '\t', '\r']),
        Err(error) => {
            let start = line.get(..error.valid_up_to()).unwrap_or_default();
            let start = String::from_utf8_lossy(start).into_owned();
            return Err(ConfError::NotUtf8 { start });
        }
    };
    if line.is_empty() {
        return Ok(None);
    }
    let (name, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let spelling = spelling(name).ok_or_else(|| ConfError::Unrecognized {
        name: name.to_owned(),
    })?;
    let value = value.trim_matches([' ', '\t']);
    check(spelling, value)?;
    Ok(Some((spelling, value.to_owned())))
}

/// Whether a parameter takes this value.
fn check(spelling: &Spelling, value: &str) -> Result<(), ConfError> {
    let Spelling {
        name,
        kind,
        parameter,
        ..
    } = *spelling;
    if value.is_empty() {
        return Err(ConfError::Missing { name, kind });
    }
    let (is_legal, takes) = match kind {
        Kind::Boolean => (
            truth(value).is_some(),
            "true or false: T, Y, 1, F, N and 0 begin the words it knows",
        ),
        Kind::Integer => (
            integer(value).is_some(),
            "a whole number, in octal after a 0, in hexadecimal after 0x",
        ),
        Kind::Text if parameter == Parameter::AutoRestartRate => (
            rate::parse(value).is_some(),
            "a number and a time, such as 10/1h: units are s, m, h and d",
        ),
        Kind::Text => (!value.contains('\0'), "text without a NUL"),
    };
    if is_legal {
        Ok(())
    } else {
        let value = value.to_owned();
        Err(ConfError::Illegal { name, value, takes })
    }
}

fn no_socket(value: &str) -> ConfError {
    ConfError::Illegal {
        name: Parameter::Socket.name(),
        value: value.to_owned(),
        takes: "local:/path, inet:port@host or inet6:port@host, an address in brackets",
    }
}

/// C4: the first octet decides, whatever follows it.
fn truth(value: &str) -> Option<bool> {
    match value.as_bytes().first()? {
        b'T' | b't' | b'Y' | b'y' | b'1' => Some(true),
        b'F' | b'f' | b'N' | b'n' | b'0' => Some(false),
        _ => None,
    }
}

/// As strtol(3) with base 0.
fn integer(value: &str) -> Option<i64> {
    let (sign, digits) = match value.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    };
    let (radix, digits) = match (
        digits.strip_prefix("0x"),
        digits.strip_prefix("0X"),
        digits.strip_prefix('0'),
    ) {
        (Some(digits), ..) | (_, Some(digits), _) => (16, digits),
        (.., Some(octal)) if !octal.is_empty() => (8, octal),
        _ => (10, digits),
    };
    let plain = !digits.starts_with(['+', '-']);
    let size = i64::from_str_radix(digits, radix).ok().filter(|_| plain)?;
    size.checked_mul(sign)
}

impl Conf {
    /// The lines that cannot be understood, all of them (C6).
    #[must_use]
    pub fn broken(&self) -> &[ConfMistake] {
        &self.broken
    }

    /// Whether no line says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.broken.is_empty()
    }

    /// What is missing without which OpenDMARC does not start (P26). It may still come from the command
    /// line, so it is asked for apart.
    #[must_use]
    pub fn missing(&self) -> Option<ConfMistake> {
        let is_one = |broken: &ConfMistake| match broken.wrong {
            ConfError::Missing { name, .. } | ConfError::Illegal { name, .. } => {
                name == Parameter::Socket.name()
            }
            _ => false,
        };
        if self.text(Parameter::Socket).is_some() || self.broken.iter().any(is_one) {
            return None;
        }
        let wrong = ConfError::NoSocket;
        Some(ConfMistake { line: 0, wrong })
    }

    /// What the command line says. It counts more than the file; and, unlike in OpenDMARC, it still does
    /// after a reload (C8).
    ///
    /// # Errors
    /// [`ConfError`] where the parameter does not take the value.
    pub fn set(&mut self, parameter: Parameter, value: &str) -> Result<(), ConfError> {
        if let Some(spelling) = spelling(parameter.name()) {
            check(spelling, value)?;
        }
        if parameter == Parameter::Socket && self.our_socket(value).is_none() {
            return Err(no_socket(value));
        }
        self.entries.push(ConfEntry {
            line: None,
            name: parameter.name(),
            parameter,
            value: value.to_owned(),
            now: None,
        });
        Ok(())
    }

    /// Tells of the sockets that are none; only all lines together say what a relative path means.
    fn refuse_sockets(&mut self) {
        let is_none = |entry: &ConfEntry| {
            entry.parameter == Parameter::Socket && self.our_socket(&entry.value).is_none()
        };
        let refused: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| is_none(entry))
            .cloned()
            .collect();
        self.entries.retain(|entry| !refused.contains(entry));
        let broken = refused.into_iter().map(|entry| ConfMistake {
            line: entry.line.unwrap_or_default(),
            wrong: no_socket(&entry.value),
        });
        self.broken.extend(broken);
        self.broken.sort_by_key(|broken| broken.line);
    }

    /// A socket in the spelling of our settings.
    pub(super) fn our_socket(&self, socket: &str) -> Option<String> {
        socket::in_our_words(socket, |path| self.absolute(path))
    }

    /// The text of a parameter, if the file sets it.
    #[must_use]
    pub fn text(&self, parameter: Parameter) -> Option<&str> {
        self.entry(parameter).map(|entry| entry.value.as_str())
    }

    /// The truth value of a parameter, if the file sets it.
    #[must_use]
    pub fn flag(&self, parameter: Parameter) -> Option<bool> {
        self.entry(parameter)?.flag()
    }

    /// The number of a parameter, if the file sets it.
    #[must_use]
    pub fn number(&self, parameter: Parameter) -> Option<i64> {
        self.entry(parameter)?.number()
    }

    /// The parts of a parameter that is a list, which commas separate; blanks around them do not count.
    pub(super) fn list(&self, parameter: Parameter) -> Vec<String> {
        let parts = self.text(parameter).unwrap_or_default().split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// How often the service may be started again (P5), if the file says so.
    #[must_use]
    pub fn restart_rate(&self) -> Option<Rate> {
        rate::parse(self.text(Parameter::AutoRestartRate)?)
    }

    /// A path that the file names, made absolute as OpenDMARC does after its BaseDirectory (P7).
    #[must_use]
    pub fn path(&self, parameter: Parameter) -> Option<String> {
        self.text(parameter).map(|path| self.absolute(path))
    }

    pub(super) fn absolute(&self, path: &str) -> String {
        match self.text(Parameter::BaseDirectory) {
            Some(base) if !path.starts_with('/') => format!("{}/{path}", base.trim_end_matches('/')),
            _ => path.to_owned(),
        }
    }

    /// The user that `UserID` names, and its group, where it names one (P35).
    #[must_use]
    pub fn account(&self) -> Option<(&str, Option<&str>)> {
        let spelling = self.text(Parameter::UserId)?;
        Some(match spelling.split_once(':') {
            Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
            None => (spelling, None),
        })
    }

    /// The files whose content decides what the file means: [`OpenDmarcSite::files`](super::OpenDmarcSite::files) should
    /// have those that can be read.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let named = [
            Parameter::IgnoreHosts,
            Parameter::DomainWhitelistFile,
            Parameter::NoReportsList,
        ];
        named
            .into_iter()
            .filter_map(|parameter| self.path(parameter))
            .collect()
    }

    /// The line that counts: of several for one parameter it is the last.
    pub(super) fn entry(&self, parameter: Parameter) -> Option<&ConfEntry> {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.parameter == parameter)
    }
}

#[cfg(test)]
mod tests;
