//! `migrate mail-dmarc`: mail-dmarc.ini, translated into our settings file; its whitelist, into rules; and what
//! is in its store, into the tally.

mod data;

use std::path::{Path, PathBuf};

use clap::Args;
use landmarc_migrate::mail_dmarc::{IniMistake, MAX_FILE, MailDmarcTranslation, rules, translate};
use serde_json::{Value, json};

use super::file;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::notes::note;
use landmarc_mail::text::visible;
use landmarc_runtime::files::read_file;
use landmarc_runtime::visible::visible_path;

/// Where Mail::DMARC looks for its settings, in its order.
const FILES: [&str; 3] = [
    "/usr/local/etc/mail-dmarc.ini",
    "/opt/local/etc/mail-dmarc.ini",
    "/etc/mail-dmarc.ini",
];

/// What the help says below the options.
const AFTER_HELP: &str = "\
The settings go to standard output, or to the file that --output names; what is left out, and why, goes to \
standard error. With --database, messages are imported instead that Mail::DMARC has not reported \
about yet. Stop dmarc_send_reports first, or their senders are told of them twice. Importing again adds what \
came in since. Nothing is changed of what Mail::DMARC has.\n\n\
Exit code: 0 when all was understood, 65 when a message in the database is broken or the database is not \
of Mail::DMARC, 66 when there is no such file, 69 when the database cannot be reached or the output not \
written, 78 when a line of the settings is broken; then nothing is printed.";

/// Arguments of `migrate mail-dmarc`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct MigrateMailDmarcArguments {
    /// The settings file of Mail::DMARC [default: where Mail::DMARC looks: mail-dmarc.ini in /usr/local/etc,
    /// /opt/local/etc or /etc]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write the settings into this file, which must not be there yet [default: standard output]
    #[arg(long, short, value_name = "FILE", conflicts_with = "database")]
    output: Option<PathBuf>,
    /// Write the hosts of its whitelist as rules into this file, which must not be there yet
    #[arg(long, value_name = "FILE", conflicts_with = "database")]
    rules_output: Option<PathBuf>,
    /// Take the whitelist from this file [default: the one that its settings name]
    #[arg(long, value_name = "FILE", requires = "rules_output")]
    whitelist: Option<PathBuf>,
    /// Write these files even if they are there
    #[arg(long, conflicts_with = "database")]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: data::Data,
}

/// Translates or imports, and tells.
pub(crate) fn run(arguments: &MigrateMailDmarcArguments) -> CommandResult {
    match arguments.data.is_asked_for() {
        true => arguments
            .data
            .run(|| read(arguments).map(|(_, made)| made), arguments.json),
        false => settings(arguments),
    }
}

fn settings(arguments: &MigrateMailDmarcArguments) -> CommandResult {
    let (file, made) = read(arguments)?;
    if let Some(path) = &arguments.rules_output {
        write_rules(arguments, &made, path)?;
    }
    let text = match arguments.json {
        true => format!("{}\n", in_json(&file, &made)),
        false => made.settings.clone(),
    };
    let output = arguments.output.as_deref();
    file::deliver(&text, output, arguments.force)?;
    if !arguments.json {
        for note in &made.notes {
            let shown = visible(&note.key);
            note!("{}:{}: {shown}: {}", visible_path(&file), note.line, note.text);
        }
    }
    file::print_next(output);
    Ok(Exit::Fine)
}

/// The settings file, and what it comes to.
fn read(arguments: &MigrateMailDmarcArguments) -> Result<(PathBuf, MailDmarcTranslation), Failure> {
    let there = || FILES.iter().map(PathBuf::from).find(|path| path.exists());
    let file = arguments.config.clone().or_else(there);
    let Some(file) = file else {
        return Err(failure!(
            Exit::NoInput,
            "there is none of {}: name it with --config",
            FILES.join(", ")
        ));
    };
    let octets = octets_of(&file)?;
    match translate(&octets) {
        Ok(made) => Ok((file, made)),
        Err(mistakes) => Err(print_mistakes(&file, &mistakes, Exit::Config)),
    }
}

fn write_rules(
    arguments: &MigrateMailDmarcArguments,
    made: &MailDmarcTranslation,
    path: &Path,
) -> Result<(), Failure> {
    let named = made.whitelist.as_ref().map(PathBuf::from);
    let Some(whitelist) = arguments.whitelist.clone().or(named) else {
        return Err(failure!(
            Exit::NoInput,
            "the settings name no whitelist: name it with --whitelist"
        ));
    };
    let octets = octets_of(&whitelist)?;
    let rules = rules(&octets).map_err(|mistakes| print_mistakes(&whitelist, &mistakes, Exit::BadInput))?;
    file::write(path, &rules, arguments.force)
}

fn octets_of(path: &Path) -> Result<Vec<u8>, Failure> {
    read_file(path, MAX_FILE).map_err(|error| failure!(Exit::NoInput, "{}: {error}", visible_path(path)))
}

/// Each at its line, with what can be done.
fn print_mistakes(file: &Path, mistakes: &[IniMistake], exit: Exit) -> Failure {
    for mistake in mistakes {
        let place = match mistake.line {
            0 => visible_path(file),
            line => format!("{}:{line}", visible_path(file)),
        };
        note!("{place}: {}\n  {}", mistake.wrong, mistake.remedy());
    }
    exit.into()
}

fn in_json(file: &Path, made: &MailDmarcTranslation) -> Value {
    let database = made.database.as_ref().and_then(|found| found.as_ref().ok());
    let notes = made
        .notes
        .iter()
        .map(|note| json!({"line": note.line, "key": note.key, "text": note.text}));
    json!({
        "file": file.display().to_string(),
        "settings": made.settings,
        "notes": notes.collect::<Vec<_>>(),
        "database": database.map(ToString::to_string),
        "whitelist": made.whitelist,
    })
}
