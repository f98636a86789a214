//! `filter`: what a mail server starts by itself, and speaks to over standard input and output.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use landmarc_interfaces::opensmtpd::{CheckApiClient, OpenSmtpdOptions, Unjudged, run as filter};
use landmarc_net::SocketAddress;
use landmarc_settings::Settings;
use tokio::io::{BufReader, stdin, stdout};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::loading::load;
use crate::runtime;
use landmarc_runtime::check_secret;
use landmarc_runtime::logging;

/// What the help says below the options.
const AFTER_HELP: &str = "\
smtpd starts it, by a line of smtpd.conf:\n  \
filter landmarc proc-exec \"landmarc filter opensmtpd\" user landmarc\n\n\
Exit code: 0 when smtpd has ended, 69 when it cannot be spoken to, 78 for wrong settings, or none of a \
check API.";

/// How much smtpd says at once.
const INPUT_OCTETS: usize = 64 * 1024;

/// The mail servers.
#[derive(Debug, Subcommand)]
pub(crate) enum FilterCommand {
    /// Be a filter of OpenSMTPD: have messages judged by the running service, and edit them
    #[command(name = "opensmtpd")]
    OpenSmtpd(OpenSmtpdArguments),
}

/// Arguments of `filter opensmtpd`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OpenSmtpdArguments {
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask the service on this socket, unix:PATH or inet:ADDRESS:PORT [default: the first of check_api.listen]
    #[arg(long, value_name = "SOCKET")]
    socket: Option<SocketAddress>,
    /// What becomes of mail while the service does not answer
    #[arg(long, value_name = "ACTION", default_value = "tempfail")]
    unjudged: UnjudgedName,
    /// Keep large messages in this folder until they are judged [default: that for temporary files]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnjudgedName {
    /// It is taken as it is
    Accept,
    /// It is put off until later
    Tempfail,
}

/// Serves the mail server until it ends.
pub(crate) fn run(command: &FilterCommand) -> CommandResult {
    let FilterCommand::OpenSmtpd(arguments) = command;
    let settings = load(arguments.config.as_deref())?.settings;
    let service = service(arguments, &settings)?;
    logging::start(&settings);
    let terms = OpenSmtpdOptions {
        unjudged: match arguments.unjudged {
            UnjudgedName::Accept => Unjudged::Accept,
            UnjudgedName::Tempfail => Unjudged::TempFail,
        },
        message_octets: settings.check_api.max_message_size.as_u64(),
        folder: arguments.folder.clone().unwrap_or_else(std::env::temp_dir),
    };
    let runtime = runtime::threads()?;
    let input = BufReader::with_capacity(INPUT_OCTETS, stdin());
    let ended = runtime.block_on(filter(input, stdout(), Arc::new(service), terms));
    // A read of standard input cannot be called back.
    runtime.shutdown_background();
    ended.map_err(|error| failure!(Exit::Unavailable, "cannot speak to smtpd: {error}"))?;
    Ok(Exit::Fine)
}

/// The check API to ask.
fn service(arguments: &OpenSmtpdArguments, settings: &Settings) -> Result<CheckApiClient, Failure> {
    let wrong = |message: &str| Failure::new(Exit::Config, message);
    let api = &settings.check_api;
    let socket = match (&arguments.socket, api.listen.first()) {
        (Some(socket), _) => socket.clone(),
        (None, Some(listed)) => listed
            .parse()
            .map_err(|error| wrong(&format!("check_api.listen: {error}")))?,
        (None, None) => {
            return Err(wrong(
                "there is no check API to ask; set check_api.listen, and start the service again",
            ));
        }
    };
    let secret = api.secret_file.as_deref().map(check_secret::secret).transpose();
    let secret =
        secret.map_err(|error| wrong(&format!("check_api.secret_file: {error}; {}", error.remedy())))?;
    Ok(CheckApiClient::new(socket, secret))
}
