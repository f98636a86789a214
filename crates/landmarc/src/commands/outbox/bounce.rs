//! `outbox bounce`: a message came back. For the pipe of a mail server, to which the return path leads.

use std::io::{self, Read};

use clap::Args;
use landmarc_intake::bounce::{Bounce, BounceAction, MAX_BOUNCE_OCTETS, read};
use landmarc_store::{Delivery, DeliveryNumber, DeliveryState, Outbox, OutboxFilter, Reader, StoreError};

use super::{NowArgument, setup};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::loading::load_store;
use crate::notes::note;
use crate::output::print;
use crate::records::{SelectedStore, StoreArguments};
use landmarc_reporter::{ReportSettings, SECRET, return_path, strikes};
use landmarc_runtime::load::Need;
use landmarc_runtime::time::to_the_second;

/// What the help says below the options.
const AFTER_HELP: &str = "\
In Postfix, with report.return_path = \"dmarc-bounces@example.com\":\n\
  aliases    dmarc-bounces: \"|/usr/local/bin/landmarc outbox bounce --recipient $ORIGINAL_RECIPIENT\"\n\n\
Mail that is no bounce of a message is told of and dropped: were it refused, the mail server would \
send a bounce about a bounce, or to whoever writes to the return path.\n\n\
Exit code: 0 also for such mail, 64 for a wrong command line, 65 for a file that is no store of this \
version, 75 when the store cannot be read or written, so that the mail server tries again later, 78 \
for wrong settings.";

/// Arguments of `outbox bounce`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OutboxBounceArguments {
    /// The address the mail came to, with its token; else it is looked for in the header
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// Take this time for the present: seconds since 1970, or as 2026-06-01T14:30:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<NowArgument>,
    #[command(flatten)]
    store: StoreArguments,
}

/// Reads it from standard input.
pub(super) fn run(arguments: &OutboxBounceArguments) -> CommandResult {
    let settings = load_store(arguments.store.config.as_deref(), Need::Directory)?;
    let terms = ReportSettings::of(&settings)
        .map_err(|error| failure!(Exit::Config, "{error}").with_remedy(error.remedy()))?;
    let found = SelectedStore::at(arguments.store.of(&settings).map_err(later)?);
    let mail = mail().map_err(|error| failure!(Exit::Later, "cannot read standard input: {error}"))?;
    let mut outbox = setup::outbox(&found).map_err(later)?;
    let secret = outbox.secret(SECRET).map_err(later)?;
    let ours = return_path(&terms, &secret).map_err(|error| failure!(Exit::Config, "{error}"))?;
    match read(&mail, arguments.recipient.as_deref(), &ours) {
        Err(why) => note!("landmarc: dropped: {why}"),
        Ok(bounce) => {
            let by_id = settings.report.return_path_delimiter.is_none();
            let now_ms = NowArgument::or_present(arguments.now);
            let done = record(&found, &mut outbox, &bounce, by_id, now_ms);
            print(&format!("{}\n", done.map_err(later)?))?;
        }
    }
    Ok(Exit::Fine)
}

/// A store that is in trouble is so for a while: the mail server keeps the bounce meanwhile.
fn later(error: impl Into<Failure>) -> Failure {
    let mut failure = error.into();
    if failure.exit == Exit::Unavailable {
        failure.exit = Exit::Later;
    }
    failure
}

/// As much of it as is looked at; the rest is read and let go, so that the mail server is not cut off.
fn mail() -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_BOUNCE_OCTETS).unwrap_or(u64::MAX);
    let mut mail = Vec::new();
    let mut input = io::stdin().lock();
    input.by_ref().take(limit).read_to_end(&mut mail)?;
    io::copy(&mut input, &mut io::sink())?;
    Ok(mail)
}

/// Writes down what came of a delivery; and tells it.
fn record(
    found: &SelectedStore,
    outbox: &mut Outbox,
    bounce: &Bounce,
    by_message_id: bool,
    now_ms: u64,
) -> Result<String, StoreError> {
    let Some(number) = delivery(found, bounce, by_message_id)? else {
        return Ok(format!("of no delivery of ours: {bounce}"));
    };
    if bounce.action != BounceAction::Failed {
        return Ok(format!("delivery {number}, nothing to do: {bounce}"));
    }
    let Some(delivery) = outbox.bounced(number, &bounce.to_string(), now_ms)? else {
        return Ok(format!("delivery {number}, given up before: {bounce}"));
    };
    // A Message-ID alone suppresses nobody: whoever has seen the message knows it.
    if bounce.delivery.is_none() || !bounce.speaks_of_destination() {
        return Ok(format!(
            "delivery {number} to {} given up: {bounce}",
            delivery.destination
        ));
    }
    let struck = outbox.strike(&delivery.destination, &bounce.to_string(), &strikes(), now_ms)?;
    let until = struck.suppressed_until_ms;
    let until = until.map(|until_ms| format!(", nothing more until {}", to_the_second(until_ms)));
    Ok(format!(
        "delivery {number} to {} given up{}: {bounce}",
        delivery.destination,
        until.unwrap_or_default()
    ))
}

/// The delivery that a bounce is about. A Message-ID can be made up by anybody, so it counts only where
/// return paths have no token.
fn delivery(
    found: &SelectedStore,
    bounce: &Bounce,
    by_message_id: bool,
) -> Result<Option<DeliveryNumber>, StoreError> {
    if let Some(number) = bounce.delivery {
        return Ok(Some(DeliveryNumber(number)));
    }
    let Some(message_id) = bounce.message_id.as_deref().filter(|_| by_message_id) else {
        return Ok(None);
    };
    // `<REPORTID.XXXXXXXX@submitter>`
    let report_id = message_id.trim_start_matches('<').split('.').next();
    let filter = OutboxFilter {
        report_id: report_id.map(str::to_owned),
        limit: landmarc_store::MAX_DESTINATIONS,
        ..OutboxFilter::default()
    };
    let all = Reader::open(&found.place)?.deliveries(&filter)?;
    // What has not been handed over cannot have come back: whoever works out a Message-ID before keeps nothing
    // from being sent.
    let is_it = |delivery: &&Delivery| {
        delivery.message_id == message_id && delivery.state == DeliveryState::Delivered
    };
    Ok(all.iter().find(is_it).map(|delivery| delivery.number))
}
