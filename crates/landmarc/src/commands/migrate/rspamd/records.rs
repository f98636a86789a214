//! What rspamd has counted, into the tally.

use std::path::{Path, PathBuf};

use clap::Args;
use landmarc_dns::resolver::Resolver;
use landmarc_migrate::rspamd::{RspamdDay, Window};
use landmarc_settings::{RedisServer, Settings};
use landmarc_source::redis::{Days, RedisOptions};
use landmarc_store::COMMAND_BUSY_TIMEOUT;

use crate::commands::migrate::summary::print_summary;
use crate::commands::migrate::target::mode;
use crate::commands::outbox::DayArgument;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure};
use crate::loading::load_quietly;
use crate::notes::note;
use crate::places;
use crate::runtime;
use landmarc_import::rspamd::{
    self, ImportWriter, Order, Policies, ReadError, RspamdReading, WhenUnanswered,
};
use landmarc_import::{ImportMode, Imports};
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::error_chain::error_chain;
use landmarc_runtime::rules;

/// Where records are, and which are meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "What was counted")]
pub(super) struct Records {
    /// Import the records of this Redis server: HOST:PORT, or unix:/PATH; may be given several times. Give all
    /// servers of one rspamd at once [default: rspamd.servers of our settings]
    #[arg(long, value_name = "SERVER", num_args = 1..)]
    pub(super) redis: Vec<RedisServer>,
    /// What stands before the domain in the names of lists (key_prefix of rspamd)
    #[arg(long, value_name = "PREFIX")]
    key_prefix: Option<String>,
    /// The name of an account in Redis
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The file whose first line is the password of Redis
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The number of the database in Redis
    #[arg(long, value_name = "NUMBER")]
    database: Option<u32>,
    /// Only records of this day, as rspamd names it: 2026-06-01, yesterday
    #[arg(long, value_name = "DAY")]
    day: Option<DayArgument>,
    /// Ask DNS nothing: policies are then as far as records tell them
    #[arg(long)]
    no_dns: bool,
    /// Write nothing down, but print what would be imported
    #[arg(long)]
    dry_run: bool,
    /// Import into this database file instead of the service's
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

impl Records {
    /// Imports, and tells.
    pub(super) fn import(&self, settings: Option<&Path>, as_json: bool) -> CommandResult {
        let mut settings = load_quietly(settings)?.settings;
        self.take_over(&mut settings);
        if settings.rspamd.servers.is_empty() {
            let why = "no Redis server is named: give --redis HOST:PORT, or set rspamd.servers";
            return Err(Failure::new(Exit::Usage, why));
        }
        let options = rspamd::options(&settings.rspamd)
            .map_err(|error| Failure::of(Exit::Unavailable, &error).with_remedy(error.remedy()))?;
        let how = mode(self.dry_run);
        let reading = self.read(&settings, options, how)?;
        print_troubles(&reading);
        let others = [
            ("keys", reading.keys),
            ("records", reading.records),
            ("broken", reading.broken),
            ("waiting", reading.waiting),
        ];
        print_summary(&reading.imported, how, &others, as_json)?;
        Ok(exit_of(&reading))
    }

    /// What is said on the command line goes before what the settings say.
    fn take_over(&self, settings: &mut Settings) {
        let of_rspamd = &mut settings.rspamd;
        if !self.redis.is_empty() {
            of_rspamd.servers.clone_from(&self.redis);
        }
        if let Some(prefix) = &self.key_prefix {
            of_rspamd.key_prefix.clone_from(prefix);
        }
        if self.username.is_some() {
            of_rspamd.username.clone_from(&self.username);
        }
        if self.password_file.is_some() {
            of_rspamd.password_file.clone_from(&self.password_file);
        }
        of_rspamd.database = self.database.unwrap_or(of_rspamd.database);
    }

    fn read(
        &self,
        settings: &Settings,
        options: RedisOptions,
        how: ImportMode,
    ) -> Result<RspamdReading, Failure> {
        let runtime = runtime::threads()?;
        let _inside = runtime.enter();
        let now = now_ms();
        let resolver = match self.no_dns {
            true => None,
            false => {
                let resolver = Resolver::new(rules::resolver_options(settings));
                Some(resolver.map_err(|error| Failure::of(Exit::Unavailable, &error))?)
            }
        };
        let place = places::counts_into(self.store.as_ref(), settings)?;
        let imports = Imports::open(&place, settings, how, now, COMMAND_BUSY_TIMEOUT)?;
        let order = Order {
            options,
            names: rspamd::names(&settings.rspamd),
            days: match self.day {
                Some(day) => Days::One(RspamdDay::at(day.day(now).begins_s())),
                None => Days::All,
            },
            lists: true,
            window: Window {
                since_s: 0,
                now_s: now / 1_000,
            },
            when_unanswered: WhenUnanswered::Wait,
        };
        let (mut policies, mut taker) = (Policies::new(resolver), ImportWriter::new(imports));
        let read = runtime.block_on(rspamd::read(&order, &mut policies, &mut taker));
        read.map_err(|error| match error {
            ReadError::Store(error) => Failure::from(error),
            ReadError::Redis(error) => Failure::of(Exit::Unavailable, &error).with_remedy(error.remedy()),
        })
    }
}

/// To standard error: what was not read, and why.
fn print_troubles(reading: &RspamdReading) {
    for unread in &reading.unread {
        note!("landmarc: {unread}\n  {}", unread.remedy());
    }
    let more = reading.broken.saturating_sub(reading.unread.len() as u64);
    if more > 0 {
        note!("landmarc: and {more} more");
    }
    for error in &reading.missing {
        note!("landmarc: {}\n  {}", error_chain(error), error.remedy());
    }
    if reading.are_too_many {
        note!("landmarc: there are more keys than are read\n  see whether --key-prefix is right");
    }
    if let Some(domain) = reading.unanswered.first() {
        let others = match reading.unanswered.len() {
            1 => String::new(),
            count => format!(" and {} more domains", count - 1),
        };
        note!(
            "landmarc: DNS did not answer about {domain}{others}: their records wait\n  run it again, or with \
             --no-dns to import them as they are"
        );
    }
}

fn exit_of(reading: &RspamdReading) -> Exit {
    if !reading.missing.is_empty() {
        Exit::Unavailable
    } else if reading.broken > 0 || reading.are_too_many || reading.imported.refused_rows > 0 {
        Exit::BadInput
    } else if reading.waiting > 0 {
        Exit::Unknown
    } else {
        Exit::Fine
    }
}
