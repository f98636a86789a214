//! Where log lines go.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use landmarc_settings::Settings;
use landmarc_settings::keys::{LogFormat, LogLevel, LogTarget, SyslogFacility};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// Where the system's log daemon listens.
const SYSLOG_SOCKET: &str = "/dev/log";
/// A datagram longer than this is cut by many a log daemon.
const MAX_SYSLOG_LINE: usize = 8 * 1024;

type BoxedLayer = Box<dyn Layer<tracing_subscriber::Registry> + Send + Sync>;

/// Changes the level while the service runs.
pub struct LevelHandle(reload::Handle<LevelFilter, tracing_subscriber::Registry>);

impl LevelHandle {
    /// Logs from now on as these settings say.
    pub fn set(&self, settings: &Settings) {
        // It fails only when logging has ended, and then there is nothing to change.
        let _ = self.0.reload(level(settings));
    }
}

/// Starts logging as the settings say; falls back to standard error, and says so,
/// when a log daemon cannot be reached.
pub fn start(settings: &Settings) -> LevelHandle {
    let is_under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let (layer, why) = match target(settings.log.target, is_under_systemd) {
        LogTarget::Journald => match tracing_journald::layer() {
            Ok(layer) => (layer.with_syslog_identifier("landmarc".to_owned()).boxed(), None),
            Err(error) => (
                stderr_layer(settings),
                Some(format!("journald cannot be reached: {error}")),
            ),
        },
        LogTarget::Syslog => match Syslog::connect(settings.log.syslog_facility) {
            Ok(syslog) => (syslog_layer(settings, syslog), None),
            Err(error) => (
                stderr_layer(settings),
                Some(format!("{SYSLOG_SOCKET} cannot be reached: {error}")),
            ),
        },
        LogTarget::Auto | LogTarget::Stderr => (stderr_layer(settings), None),
    };
    let (filter, handle) = reload::Layer::new(level(settings));
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .init();
    if let Some(why) = why {
        tracing::warn!("{why}; logging to standard error");
    }
    LevelHandle(handle)
}

/// Under systemd standard error is the journal's, so its own protocol is better.
fn target(target: LogTarget, is_under_systemd: bool) -> LogTarget {
    match target {
        LogTarget::Auto if is_under_systemd => LogTarget::Journald,
        LogTarget::Auto => LogTarget::Stderr,
        other => other,
    }
}

fn level(settings: &Settings) -> LevelFilter {
    match settings.log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

fn stderr_layer(settings: &Settings) -> BoxedLayer {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(false);
    match settings.log.format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Text => layer.boxed(),
    }
}

fn syslog_layer(settings: &Settings, syslog: Syslog) -> BoxedLayer {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(syslog)
        .with_target(false)
        .with_ansi(false)
        .with_level(false)
        .without_time();
    match settings.log.format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Text => layer.boxed(),
    }
}

/// The local syslog (RFC 3164 over a datagram socket).
struct Syslog {
    socket: UnixDatagram,
    facility: u8,
}

impl Syslog {
    fn connect(facility: SyslogFacility) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(SYSLOG_SOCKET)?;
        // A log daemon that hangs must not hold mail.
        socket.set_write_timeout(Some(Duration::from_millis(100)))?;
        Ok(Self {
            socket,
            facility: facility_number(facility),
        })
    }
}

/// The numbers of RFC 5424 §6.2.1.
fn facility_number(facility: SyslogFacility) -> u8 {
    match facility {
        SyslogFacility::User => 1,
        SyslogFacility::Mail => 2,
        SyslogFacility::Daemon => 3,
        SyslogFacility::Auth => 4,
        SyslogFacility::Local0 => 16,
        SyslogFacility::Local1 => 17,
        SyslogFacility::Local2 => 18,
        SyslogFacility::Local3 => 19,
        SyslogFacility::Local4 => 20,
        SyslogFacility::Local5 => 21,
        SyslogFacility::Local6 => 22,
        SyslogFacility::Local7 => 23,
    }
}

/// One line on its way to the log daemon.
struct SyslogLine<'a> {
    syslog: &'a Syslog,
    severity: u8,
}

impl<'a> MakeWriter<'a> for Syslog {
    type Writer = SyslogLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        SyslogLine {
            syslog: self,
            severity: 6,
        }
    }

    fn make_writer_for(&'a self, metadata: &tracing::Metadata<'_>) -> Self::Writer {
        let severity = match *metadata.level() {
            tracing::Level::ERROR => 3,
            tracing::Level::WARN => 4,
            tracing::Level::INFO => 6,
            _ => 7,
        };
        SyslogLine {
            syslog: self,
            severity,
        }
    }
}

impl Write for SyslogLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let datagram = datagram(self.syslog.facility, self.severity, line);
        // A lost log line is no reason to hold mail.
        let _ = self.syslog.socket.send(&datagram);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Priority, tag, text (RFC 3164 §4.1); the daemon adds the time. The text is one line.
fn datagram(facility: u8, severity: u8, line: &[u8]) -> Vec<u8> {
    let priority = facility * 8 + severity;
    let mut datagram = format!("<{priority}>landmarc[{}]: ", std::process::id()).into_bytes();
    datagram.extend(
        line.trim_ascii()
            .iter()
            .map(|&b| if b == b'\n' { b' ' } else { b }),
    );
    datagram.truncate(MAX_SYSLOG_LINE);
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_priority_and_tag_and_is_one_line() {
        let text = datagram(facility_number(SyslogFacility::Mail), 6, b"queue_id=1\nnext \n");
        let text = String::from_utf8(text).unwrap();
        let id = std::process::id();
        assert_eq!(text, format!("<22>landmarc[{id}]: queue_id=1 next"));
        let highest = datagram(facility_number(SyslogFacility::Local7), 7, b"x");
        assert!(highest.starts_with(b"<191>"));
    }

    #[test]
    fn a_datagram_is_cut_at_its_limit() {
        let head = datagram(2, 6, b"").len();
        let room = MAX_SYSLOG_LINE - head;
        assert_eq!(datagram(2, 6, &vec![b'x'; room]).len(), MAX_SYSLOG_LINE);
        assert_eq!(datagram(2, 6, &vec![b'x'; room + 1]).len(), MAX_SYSLOG_LINE);
    }

    #[test]
    fn under_systemd_the_journal_is_the_automatic_target() {
        assert_eq!(target(LogTarget::Auto, true), LogTarget::Journald);
        assert_eq!(target(LogTarget::Auto, false), LogTarget::Stderr);
        assert_eq!(target(LogTarget::Syslog, true), LogTarget::Syslog);
    }
}
