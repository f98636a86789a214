//! rspamd's DMARC and Redis sections, translated into our settings file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use landmarc_migrate::rspamd::settings::{ConfigFile, OptionLine, RspamdTranslation, translate};
use landmarc_migrate::rspamd::ucl::MAX_FILE_OCTETS;
use serde_json::{Value, json};

use crate::commands::migrate::file;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::notes::{note, print_note};
use landmarc_mail::text::visible;
use landmarc_runtime::files::read_file;
use landmarc_runtime::visible::visible_path;

/// The files that are translated.
#[derive(Debug, Args)]
pub(super) struct Conf {
    /// Translate these files of rspamd, those that count more last: local.d/redis.conf local.d/dmarc.conf. What is
    /// called dmarc.conf or redis.conf is the inside of that section, and so is what has options of the DMARC
    /// module and no others, by any name
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "redis")]
    config: Vec<PathBuf>,
    /// Write the settings into this file, which must not be there yet [default: standard output]
    #[arg(long, short, value_name = "FILE", requires = "config")]
    output: Option<PathBuf>,
    /// Write it even if it is there
    #[arg(long, requires = "output")]
    force: bool,
}

impl Conf {
    /// Whether settings are to be translated.
    pub(super) fn is_asked_for(&self) -> bool {
        !self.config.is_empty()
    }

    /// Translates, and tells. What is broken costs its line.
    pub(super) fn translate(&self, as_json: bool) -> CommandResult {
        let files = self
            .config
            .iter()
            .map(|file| Ok((visible_path(file), octets(file)?)));
        let files: Vec<_> = files.collect::<Result<_, Failure>>()?;
        let files: Vec<_> = files
            .iter()
            .map(|(path, octets)| ConfigFile { path, octets })
            .collect();
        let translation = translate(&files);
        let text = match as_json {
            true => format!("{}\n", object(&translation)),
            false => translation.toml.clone(),
        };
        let output = self.output.as_deref();
        file::deliver(&text, output, self.force)?;
        if !as_json {
            translation
                .lines
                .iter()
                .for_each(|line| print_note(&in_words(line)));
            for broken in &translation.broken {
                note!("landmarc: {}\n  {}", visible(&broken.to_string()), broken.remedy);
            }
        }
        file::print_next(output);
        Ok(match translation.broken.as_slice() {
            [] => Exit::Fine,
            _ => Exit::Config,
        })
    }
}

fn octets(file: &Path) -> Result<Vec<u8>, Failure> {
    read_file(file, MAX_FILE_OCTETS).map_err(|error| {
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NoInput,
            _ => Exit::Unavailable,
        };
        failure!(exit, "{}: {error}", visible_path(file))
    })
}

fn in_words(line: &OptionLine) -> String {
    let place = format!("{}:{}: {}", line.file, line.line, line.option);
    let became = match (line.keys.as_slice(), line.note) {
        ([], note) => note.to_owned(),
        (keys, "") => keys.join(", "),
        (keys, note) => format!("{}; {note}", keys.join(", ")),
    };
    format!("{}: {became}", visible(&place))
}

fn object(translation: &RspamdTranslation) -> Value {
    let lines = translation.lines.iter().map(|line| {
        json!({"file": line.file, "line": line.line, "option": line.option, "settings": line.keys, "note": line.note})
    });
    let broken = translation.broken.iter().map(|broken| {
        json!({"file": broken.file, "line": broken.line, "what": broken.what, "remedy": broken.remedy})
    });
    json!({
        "settings": translation.toml,
        "lines": lines.collect::<Vec<_>>(),
        "broken": broken.collect::<Vec<_>>(),
    })
}
