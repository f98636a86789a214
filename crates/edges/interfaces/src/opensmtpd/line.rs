//! The lines of the filter protocol of OpenSMTPD, smtpd-filters(7): what smtpd says, and what it is answered.
//!
//! smtpd says `report|VERSION|TIME|smtp-in|EVENT|SESSION|...` of what happens, and asks with
//! `filter|VERSION|TIME|smtp-in|PHASE|SESSION|TOKEN|...`. Fields are parted by `|`, of which the last one may
//! have more. Versions 0.4 to 0.7 are known; they differ in the order of some fields, which each line says by
//! its version.

use std::fmt;
use std::net::IpAddr;

use landmarc_mail::text::visible_octets;
use landmarc_milter::{PeerAddress, ip_address};

/// The events that a session is made of.
const REPORTS: [&str; 9] = [
    "link-connect",
    "link-disconnect",
    "link-greeting",
    "link-identify",
    "link-auth",
    "tx-reset",
    "tx-begin",
    "tx-mail",
    "tx-rcpt",
];

/// The phases that wait for our answer.
const FILTERS: [&str; 2] = ["data-line", "commit"];

/// How much of a line is quoted in a complaint.
const QUOTED_OCTETS: usize = 80;

/// The number of a session, or the token of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(u64);

impl Number {
    /// From the hexadecimal digits that smtpd writes.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let is_hex = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        u64::from_str_radix(text, 16).ok().filter(|_| is_hex).map(Self)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The version of the protocol that a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u16, u16);

impl Version {
    /// From here on an answer names the session before the token, and an identification its method.
    const SESSION_FIRST: Self = Self(0, 5);
    /// From here on a result stands before the address, which may have `|` in it.
    const RESULT_BEFORE_ADDRESS: Self = Self(0, 6);
    /// From here on a result stands before the user.
    const RESULT_BEFORE_USER: Self = Self(0, 7);

    fn parse(text: &[u8]) -> Option<Self> {
        let (major, minor) = std::str::from_utf8(text).ok()?.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

/// What smtpd says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterLine<'a> {
    /// Something about smtpd itself, which is of no use here.
    Config,
    /// All of that has been said: it is our turn to say what we want to hear.
    Ready,
    /// Something has happened.
    Report {
        /// The SMTP session it has happened in.
        session: Number,
        /// What it was.
        event: Event<'a>,
    },
    /// An answer is wanted.
    Filter {
        /// The SMTP session that waits for it.
        session: Number,
        /// What is asked.
        request: FilterRequest<'a>,
        /// How the answer finds its question.
        address: ReturnAddress,
    },
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The client connected.
    Connect {
        /// The name that its address leads to; nothing where there is none.
        name: Option<&'a [u8]>,
        /// Whether that name leads back to the address.
        is_verified: bool,
        /// Where it connected from.
        client: PeerAddress,
    },
    /// smtpd greeted it under this name.
    Greeting(&'a [u8]),
    /// It said HELO or EHLO.
    Identify(&'a [u8]),
    /// It signed in as this user.
    Authenticated(&'a [u8]),
    /// A message begins, under this id.
    Begin(&'a [u8]),
    /// Its reverse-path was accepted.
    Mail(&'a [u8]),
    /// A recipient was accepted.
    Rcpt(&'a [u8]),
    /// The message is over, or given up.
    Reset,
    /// The client is gone.
    Disconnect,
    /// Something that changes nothing: a refused recipient, an event of a later version.
    Nothing,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterRequest<'a> {
    /// What to put in place of this line of the message, its dot stuffed; `.` is its end.
    DataLine(&'a [u8]),
    /// Whether to take the message.
    Commit,
    /// Something that we did not ask to be asked.
    Other,
}

/// What an answer must name to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    session: Number,
    token: Number,
    version: Version,
}

/// Why a line is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The first field is none of those that are known.
    #[error("not a line of the filter protocol: {0:?}")]
    Unknown(String),
    /// There are fewer fields than such a line has.
    #[error("a line of the filter protocol that ends too early: {0:?}")]
    Short(String),
    /// The version, the session or the token is none.
    #[error("a line of the filter protocol with a broken {what}: {line:?}")]
    Broken {
        /// Which field.
        what: &'static str,
        /// The beginning of the line.
        line: String,
    },
}

impl<'a> FilterLine<'a> {
    /// Reads a line, which comes without its line end.
    ///
    /// # Errors
    /// [`LineError`] for what smtpd does not say.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        let mut fields = Fields(Some(line));
        match fields.next() {
            Some(b"config") => Ok(match line {
                b"config|ready" => Self::Ready,
                _ => Self::Config,
            }),
            Some(b"report") => report(&mut fields).map_err(|why| why.of(line)),
            Some(b"filter") => filter(&mut fields).map_err(|why| why.of(line)),
            _ => Err(LineError::Unknown(visible_octets(line, QUOTED_OCTETS))),
        }
    }
}

/// What we want to hear and to be asked, said once after [`FilterLine::Ready`].
#[must_use]
pub fn registration() -> String {
    let reports = REPORTS
        .iter()
        .map(|event| format!("register|report|smtp-in|{event}\n"));
    let filters = FILTERS
        .iter()
        .map(|phase| format!("register|filter|smtp-in|{phase}\n"));
    reports.chain(filters).collect::<String>() + "register|ready\n"
}

impl ReturnAddress {
    /// The beginning of every line of the message that goes back, up to the line itself.
    #[must_use]
    pub fn of_line(&self) -> String {
        format!("filter-dataline|{self}|")
    }

    /// That the message may be taken.
    #[must_use]
    pub fn proceed(&self) -> String {
        format!("filter-result|{self}|proceed\n")
    }

    /// That it is refused with this reply, `550 5.7.1 no`, which is one line.
    #[must_use]
    pub fn reject(&self, reply: &str) -> String {
        format!("filter-result|{self}|reject|{reply}\n")
    }
}

impl fmt::Display for ReturnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            session,
            token,
            version,
        } = self;
        match *version >= Version::SESSION_FIRST {
            true => write!(f, "{session}|{token}"),
            false => write!(f, "{token}|{session}"),
        }
    }
}

/// The fields of a line, and what is left of it.
struct Fields<'a>(Option<&'a [u8]>);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        let (field, rest) = match rest.iter().position(|b| *b == b'|') {
            Some(at) => (rest.get(..at)?, rest.get(at + 1..)),
            None => (rest, None),
        };
        self.0 = rest;
        Some(field)
    }

    fn field(&mut self) -> Result<&'a [u8], Flaw> {
        self.next().ok_or(Flaw::Short)
    }

    /// All that is left, `|` and all.
    fn rest(&mut self) -> Result<&'a [u8], Flaw> {
        self.0.take().ok_or(Flaw::Short)
    }

    fn number(&mut self, what: &'static str) -> Result<Number, Flaw> {
        Number::parse(self.field()?).ok_or(Flaw::Broken(what))
    }

    /// Version, time and subsystem; what follows is an event or phase.
    fn head(&mut self) -> Result<(Version, &'a [u8]), Flaw> {
        let version = Version::parse(self.field()?).ok_or(Flaw::Broken("version"))?;
        self.field()?;
        self.field()?;
        Ok((version, self.field()?))
    }

    /// A result and what it is about, in whichever order.
    fn with_result(&mut self, result_first: bool) -> Result<(&'a [u8], &'a [u8]), Flaw> {
        if result_first {
            let result = self.field()?;
            return Ok((result, self.rest()?));
        }
        let rest = self.rest()?;
        let at = rest.iter().rposition(|b| *b == b'|').ok_or(Flaw::Short)?;
        let (about, result) = rest.split_at_checked(at).ok_or(Flaw::Short)?;
        Ok((result.get(1..).unwrap_or_default(), about))
    }
}

/// Why a line is not understood, without the line.
enum Flaw {
    Short,
    Broken(&'static str),
}

impl Flaw {
    fn of(&self, line: &[u8]) -> LineError {
        let line = visible_octets(line, QUOTED_OCTETS);
        match *self {
            Self::Short => LineError::Short(line),
            Self::Broken(what) => LineError::Broken { what, line },
        }
    }
}

fn report<'a>(fields: &mut Fields<'a>) -> Result<FilterLine<'a>, Flaw> {
    let (version, name) = fields.head()?;
    let session = fields.number("session")?;
    let event = match name {
        b"link-connect" => connect(fields)?,
        b"link-greeting" => Event::Greeting(fields.rest()?),
        b"link-identify" => Event::Identify(identity(fields, version)?),
        b"link-auth" => match fields.with_result(version >= Version::RESULT_BEFORE_USER)? {
            (b"pass", user) => Event::Authenticated(user),
            _ => Event::Nothing,
        },
        b"tx-begin" => Event::Begin(fields.field()?),
        b"tx-mail" => accepted(fields, version)?.map_or(Event::Nothing, Event::Mail),
        b"tx-rcpt" => accepted(fields, version)?.map_or(Event::Nothing, Event::Rcpt),
        b"tx-reset" => Event::Reset,
        b"link-disconnect" => Event::Disconnect,
        _ => Event::Nothing,
    };
    Ok(FilterLine::Report { session, event })
}

fn connect<'a>(fields: &mut Fields<'a>) -> Result<Event<'a>, Flaw> {
    // The name comes first, and the client's DNS may have a `|` in it: then it must not stand for what follows. In
    // all versions three fields do, so they are counted from the end.
    let mut from_end = fields.rest()?.rsplitn(4, |b| *b == b'|');
    let mut field = || from_end.next().ok_or(Flaw::Short);
    let (_ours, client, resolved, name) = (field()?, field()?, field()?, field()?);
    // `<unknown>` where smtpd found none.
    let is_name = !name.is_empty() && !name.starts_with(b"<") && !name.contains(&b'|');
    Ok(Event::Connect {
        name: Some(name).filter(|_| is_name),
        is_verified: resolved == b"pass",
        client: client_address(client),
    })
}

/// `192.0.2.1:25`, `[2001:db8::1]:25`, `unix:/path`, or `local` for what came by the socket of smtpctl.
fn client_address(text: &[u8]) -> PeerAddress {
    if let Some(path) = text.strip_prefix(b"unix:") {
        return PeerAddress::Unix(String::from_utf8_lossy(path).into_owned().into());
    }
    if text == b"local" {
        return PeerAddress::Unix("local".into());
    }
    let at = text.iter().rposition(|b| *b == b':').unwrap_or(text.len());
    let (address, port) = text.split_at_checked(at).unwrap_or((text, b""));
    let port = port
        .get(1..)
        .and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
    // An IPv4 client of a socket that listens for both.
    let address = ip_address(address).map(|address| IpAddr::to_canonical(&address));
    address.map_or(PeerAddress::Unknown, |address| {
        PeerAddress::Ip(address, port.unwrap_or_default())
    })
}

/// What was said in HELO; the method stands before it, but in the oldest version.
fn identity<'a>(fields: &mut Fields<'a>, version: Version) -> Result<&'a [u8], Flaw> {
    if version >= Version::SESSION_FIRST {
        fields.field()?;
    }
    fields.rest()
}

/// The address of a command that smtpd accepted.
fn accepted<'a>(fields: &mut Fields<'a>, version: Version) -> Result<Option<&'a [u8]>, Flaw> {
    fields.field()?;
    let (result, address) = fields.with_result(version >= Version::RESULT_BEFORE_ADDRESS)?;
    Ok(Some(address).filter(|_| result == b"ok"))
}

fn filter<'a>(fields: &mut Fields<'a>) -> Result<FilterLine<'a>, Flaw> {
    let (version, phase) = fields.head()?;
    let (session, token) = (fields.number("session")?, fields.number("token")?);
    let request = match phase {
        b"data-line" => FilterRequest::DataLine(fields.rest()?),
        b"commit" => FilterRequest::Commit,
        _ => FilterRequest::Other,
    };
    let address = ReturnAddress {
        session,
        token,
        version,
    };
    Ok(FilterLine::Filter {
        session,
        request,
        address,
    })
}

#[cfg(test)]
mod tests;
