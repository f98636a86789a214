//! `migrate opendmarc`: opendmarc.conf, translated into our settings file.

mod data;

pub(crate) use data::{exit_of, others};

use std::path::{Path, PathBuf};

use clap::Args;
use landmarc_migrate::opendmarc::settings::{
    Conf, ConfLine, ConfMistake, MAX_FILE_OCTETS, OpenDmarcTranslation, read,
};
use serde_json::{Value, json};

use super::file;
use super::target::COUNTED;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::notes::note;
use crate::output::print;
use landmarc_mail::text::visible;
use landmarc_runtime::files::read_file;
use landmarc_runtime::opendmarc_conf::{DEFAULT_FILE, translate};
use landmarc_runtime::visible::visible_path;

/// What the help says below the options.
const AFTER_HELP: &str = "\
The settings go to standard output, or to the file that --output names; a word on each line that \
needs a look goes to standard error. Nothing is changed of what OpenDMARC has.\n\n\
Exit code: 0 when each line was understood, 66 when there is no such file, 69 when the output \
cannot be written, 78 when a line is broken; then nothing is printed, unless --keep-going is given.\n\n\
With --history or --database what was counted is imported instead, each message once, however often \
it is read. Then it is 0 when all of it could be used, 65 when something was broken (the rest is \
imported), 66 when there is no such file, 69 when a database or the store cannot be reached.";

/// Arguments of `migrate opendmarc`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct MigrateOpenDmarcArguments {
    /// The settings file of OpenDMARC
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE, conflicts_with = COUNTED)]
    config: PathBuf,
    /// Write the settings into this file, which must not be there yet [default: standard output]
    #[arg(long, short, value_name = "FILE", conflicts_with = COUNTED)]
    output: Option<PathBuf>,
    /// Write it even if it is there
    #[arg(long, requires = "output")]
    force: bool,
    /// Translate the lines that can be understood although others cannot
    #[arg(long, conflicts_with = COUNTED)]
    keep_going: bool,
    /// Print one JSON object: the settings, and what became of each line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: data::Data,
}

/// Translates, and tells.
pub(crate) fn run(arguments: &MigrateOpenDmarcArguments) -> CommandResult {
    if arguments.data.is_asked_for() {
        return arguments.data.run(arguments.json);
    }
    let file = &arguments.config;
    let octets = read_file(file, MAX_FILE_OCTETS)
        .map_err(|error| failure!(Exit::NoInput, "{}: {error}", visible_path(file)))?;
    let conf = read(&octets);
    let exit = match conf.broken() {
        [] => Exit::Fine,
        broken => print_broken(file, broken),
    };
    if exit != Exit::Fine && !arguments.keep_going {
        if arguments.json {
            print(&format!("{}\n", in_json(file, &conf, None)))?;
        }
        return Ok(exit);
    }
    let translation = translate(&conf, file);
    write(arguments, &conf, &translation).map_err(|failure| failure.at_least(exit))?;
    Ok(exit)
}

/// Each at its line, with what can be done.
fn print_broken(file: &Path, broken: &[ConfMistake]) -> Exit {
    for broken in broken {
        note!(
            "{}:{}: {}\n  {}",
            visible_path(file),
            broken.line,
            visible(&broken.to_string()),
            broken.remedy()
        );
    }
    Exit::Config
}

fn write(
    arguments: &MigrateOpenDmarcArguments,
    conf: &Conf,
    translation: &OpenDmarcTranslation,
) -> Result<(), Failure> {
    let text = match arguments.json {
        true => format!("{}\n", in_json(&arguments.config, conf, Some(translation))),
        false => translation.toml.clone(),
    };
    let output = arguments.output.as_deref();
    file::deliver(&text, output, arguments.force)?;
    if !arguments.json {
        print_summary(&arguments.config, translation);
        file::print_next(output);
    }
    Ok(())
}

/// Prints how much there was, and what to look at.
fn print_summary(file: &Path, translation: &OpenDmarcTranslation) {
    let lines = &translation.lines;
    let set = lines.iter().filter(|line| !line.keys.is_empty()).count();
    let looks: Vec<_> = lines.iter().filter(|line| line.needs_a_look).collect();
    note!(
        "landmarc: {}: {} lines: {set} became settings, {} need none, {} should be looked at{}",
        visible_path(file),
        lines.len(),
        lines.len() - set,
        looks.len(),
        if looks.is_empty() { "" } else { ":" },
    );
    for line in looks {
        let place = line.line.map_or_else(String::new, |number| format!("{number}: "));
        note!(
            "{}:{place}{} {}: {}",
            visible_path(file),
            line.name,
            visible(&line.value),
            visible(&line.notes())
        );
    }
}

fn in_json(file: &Path, conf: &Conf, translation: Option<&OpenDmarcTranslation>) -> Value {
    let broken = conf
        .broken()
        .iter()
        .map(|broken| json!({"line": broken.line, "message": broken.to_string(), "remedy": broken.remedy()}));
    let lines = translation.map(|translation| translation.lines.iter().map(line_in_json).collect::<Vec<_>>());
    json!({
        "file": file.display().to_string(),
        "toml": translation.map(|translation| translation.toml.as_str()),
        "lines": lines,
        "broken": broken.collect::<Vec<_>>(),
    })
}

fn line_in_json(line: &ConfLine) -> Value {
    json!({
        "line": line.line,
        "parameter": line.name,
        "value": line.value,
        "settings": line.keys,
        "notes": line.why,
        "needs_a_look": line.needs_a_look,
    })
}
