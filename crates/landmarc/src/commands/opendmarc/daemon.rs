//! `opendmarc`: the service under its old name and with its old command line (opendmarc(8), F1), which reads
//! opendmarc.conf and does what it says.
//!
//! What the old flags mean is the same; where the old program was worse, this is not: all bad lines of the
//! file are told at once, what the command line says outlives a reload (C8), an error at the start reaches
//! whoever started it although the service goes into the background, and -t writes nothing down (F6).

mod background;
mod restart;
mod test_mode;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser};
use landmarc_migrate::opendmarc::settings::Parameter;

use crate::commands::serve;
use crate::exit::Exit;
use crate::failure::{CommandResult, failure};
use crate::output::print;
use landmarc_runtime::load::SettingsSource;
use landmarc_runtime::opendmarc_conf;

/// What the help says below the flags.
const AFTER_HELP: &str = "\
SIGHUP and SIGUSR1 read the file again; SIGTERM and SIGINT stop the service.\n\n\
This is landmarc, reading the settings of OpenDMARC. \"landmarc migrate opendmarc\" translates them \
into settings of its own, which say more.";

/// DMARC for mail servers: a milter, started as OpenDMARC was
#[derive(Debug, Parser)]
#[command(name = "opendmarc", disable_version_flag = true, args_override_self = true, after_help = AFTER_HELP)]
struct Flags {
    /// Start the service again when it fails
    #[arg(short = 'A')]
    auto_restart: bool,
    /// Read settings from this file [default: /etc/opendmarc.conf, if it exists]
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stay in the foreground
    #[arg(short = 'f')]
    foreground: bool,
    /// Log to syslog
    #[arg(short = 'l')]
    syslog: bool,
    /// Check the settings, and exit
    #[arg(short = 'n')]
    check: bool,
    /// Listen on this socket: local:PATH, inet:PORT@HOST or inet6:PORT@HOST
    #[arg(short = 'p', value_name = "SOCKET")]
    socket: Option<String>,
    /// Write the number of the process into this file
    #[arg(short = 'P', value_name = "FILE")]
    pid_file: Option<String>,
    /// Judge the messages in these files, and print what the mail server would be told
    #[arg(short = 't', value_name = "FILE[,FILE...]", value_delimiter = ',')]
    messages: Vec<PathBuf>,
    /// Become this user
    #[arg(short = 'u', value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Say more with -t; twice to tell of each step
    #[arg(short = 'v', action = ArgAction::Count)]
    verbose: u8,
    /// Print the version, and exit
    #[arg(short = 'V')]
    version: bool,
    /// Named in an old README, and in no OpenDMARC (F10)
    #[arg(short = 'T', value_name = "SECONDS", hide = true, num_args = 0..=1, default_missing_value = "")]
    dns_timeout: Option<String>,
    /// This is the process that stays
    #[arg(long, hide = true)]
    detached: bool,
    /// This is the process that is started again
    #[arg(long, hide = true)]
    supervised: bool,
}

/// Does what the command line says, without the name of the program.
pub(super) fn run(arguments: &[OsString]) -> CommandResult {
    let name = OsString::from("opendmarc");
    let flags = match Flags::try_parse_from([&name].into_iter().chain(arguments)) {
        Ok(flags) => flags,
        Err(error) => {
            // Nothing is to be done when the terminal is gone.
            let _ = error.print();
            return Ok(match error.use_stderr() {
                true => Exit::Usage,
                false => Exit::Fine,
            });
        }
    };
    let source = flags.source(arguments);
    match &flags {
        Flags { version: true, .. } => print(&version()),
        Flags {
            dns_timeout: Some(_), ..
        } => Err(failure!(
            Exit::Usage,
            "-T is no option: write DNSTimeout into the settings file"
        )),
        // F2: silent when the service would start.
        Flags { check: true, .. } => {
            source.load()?;
            Ok(Exit::Fine)
        }
        Flags { messages, .. } if !messages.is_empty() => test_mode::run(&source, messages, flags.verbose),
        _ => start(&flags, source, arguments),
    }
}

impl Flags {
    fn source(&self, arguments: &[OsString]) -> opendmarc_conf::OpenDmarcSource {
        let flag = |is_given: bool| is_given.then(|| "true".to_owned());
        let given = [
            (Parameter::AutoRestart, flag(self.auto_restart)),
            (Parameter::Syslog, flag(self.syslog)),
            (Parameter::Socket, self.socket.clone()),
            (Parameter::PidFile, self.pid_file.clone()),
            (Parameter::UserId, self.user.clone()),
        ];
        let given = given
            .into_iter()
            .filter_map(|(parameter, value)| Some((parameter, value?)));
        let is_public = |argument: &&OsString| !argument.to_string_lossy().starts_with("--");
        opendmarc_conf::OpenDmarcSource {
            file: self.config.clone(),
            given: given.collect(),
            arguments: arguments.iter().filter(is_public).cloned().collect(),
            writes_pid_file: true,
        }
    }
}

/// F3: the shape of the old text, with what this is made of.
fn version() -> String {
    format!(
        "opendmarc: landmarc v{}, in place of OpenDMARC Filter v1.4.2\n\
         \tmilter protocol 2 to 6, without libmilter\n\
         \tActive code options:\n\
         \t\tWITH_SPF\n\
         \t\tWITH_DKIM\n\
         \t\tWITH_ARC\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// In the background unless told otherwise, and with somebody who starts it again where that is wanted.
fn start(flags: &Flags, source: opendmarc_conf::OpenDmarcSource, arguments: &[OsString]) -> CommandResult {
    let conf = source.conf()?;
    let stays = flags.foreground || flags.detached || flags.supervised;
    if !stays && conf.flag(Parameter::Background) != Some(false) {
        return background::start(arguments);
    }
    if flags.detached {
        background::detach();
    }
    if conf.flag(Parameter::AutoRestart) == Some(true) && !flags.supervised {
        return restart::keep_running(&source, &conf, arguments);
    }
    let source = opendmarc_conf::OpenDmarcSource {
        // Whoever starts it again has written down its own number.
        writes_pid_file: !flags.supervised,
        ..source
    };
    serve::run_from(&SettingsSource::OpenDmarc(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &str) -> Result<Flags, clap::Error> {
        Flags::try_parse_from(
            ["opendmarc"]
                .into_iter()
                .chain(arguments.split_ascii_whitespace()),
        )
    }

    #[test]
    fn f1_all_twelve_flags_are_known() {
        let flags =
            flags("-A -c /c -f -l -n -p inet:1@localhost -P /p -t a,b,- -u opendmarc:dmarc -v -v -v -V")
                .unwrap();
        assert_eq!(flags.messages, ["a", "b", "-"].map(PathBuf::from));
        assert_eq!(flags.verbose, 3);
        let source = flags.source(&[]);
        assert_eq!(
            source.given,
            [
                (Parameter::AutoRestart, "true"),
                (Parameter::Syslog, "true"),
                (Parameter::Socket, "inet:1@localhost"),
                (Parameter::PidFile, "/p"),
                (Parameter::UserId, "opendmarc:dmarc"),
            ]
            .map(|(parameter, value)| (parameter, value.to_owned()))
        );
    }

    #[test]
    fn f1_the_last_of_a_kind_counts_and_others_are_refused() {
        assert_eq!(flags("-c /a -c /b").unwrap().config, Some(PathBuf::from("/b")));
        assert_eq!(flags("-vvv").unwrap().verbose, 3);
        for timeout in ["-T", "-T 5", "-T -f"] {
            assert!(flags(timeout).unwrap().dns_timeout.is_some(), "{timeout}");
        }
        for wrong in ["-x", "extra", "-c", "-n extra"] {
            assert!(flags(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn f3_the_version_has_the_old_shape() {
        let text = version();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("opendmarc: ") && lines[0].contains("OpenDMARC Filter v1.4.2"));
        assert!(lines[1].starts_with('\t') && lines[2] == "\tActive code options:");
        assert!(lines[3..].iter().all(|line| line.starts_with("\t\tWITH_")));
    }

    #[test]
    fn l2_the_log_has_the_arguments_that_a_person_gave() {
        let arguments = ["-c", "/etc/o.conf", "-P", "/run/o.pid", "--detached"].map(OsString::from);
        let flags = Flags::try_parse_from(["opendmarc".into()].iter().chain(&arguments)).unwrap();
        assert_eq!(
            flags.source(&arguments).describe(),
            "/etc/o.conf (args: -c /etc/o.conf -P /run/o.pid)"
        );
    }
}
