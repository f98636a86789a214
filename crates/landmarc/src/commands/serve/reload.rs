//! The settings read again while the service runs.

use std::path::PathBuf;
use std::sync::Arc;

use landmarc_push::ServerTls;
use landmarc_settings::Settings;
use tokio::signal::unix::Signal;

use super::ServeError;
use crate::words::in_plain_words;
use landmarc_runtime::current::{ActiveSettings, Current};
use landmarc_runtime::error_chain::error_chain;
use landmarc_runtime::load::{LoadError, SettingsSource};
use landmarc_runtime::logging;
use landmarc_runtime::systemd;
use landmarc_web::metrics::Metrics;

/// The mistakes of a reload that are logged. Operators use `config check`; the log is to show
/// where to look, and a broken file shall not fill it.
const MAX_MISTAKES_LOGGED: usize = 20;

/// What a reload works with.
pub(super) struct Reload {
    pub(super) started_with: Settings,
    pub(super) current: Arc<Current>,
    pub(super) source: SettingsSource,
    pub(super) level: logging::LevelHandle,
    /// What shows other hosts who we are; read again, too.
    pub(super) certificates: Option<ServerTls>,
    pub(super) metrics: Arc<Metrics>,
}

impl Reload {
    /// Reloads at each of these signals.
    pub(super) async fn run(self, mut hangup: Signal, mut user1: Signal) {
        loop {
            let signal = tokio::select! {
                signal = hangup.recv() => signal,
                signal = user1.recv() => signal,
            };
            if signal.is_none() {
                break;
            }
            systemd::reloading();
            match reload(&self.current, &self.started_with, &self.source, &self.level) {
                true => self.metrics.reloads.succeeded(),
                false => self.metrics.reloads.failed(),
            }
            if let Some(Err(error)) = self.certificates.as_ref().map(ServerTls::reload) {
                tracing::error!(
                    remedy = error.remedy(),
                    "the old certificates stay: {}",
                    error_chain(&error)
                );
            }
            systemd::ready();
        }
    }
}

/// A failed reload keeps what is running, and says so (decision D34). Whether it went well.
fn reload(
    current: &Current,
    started_with: &Settings,
    source: &SettingsSource,
    level: &logging::LevelHandle,
) -> bool {
    match reloaded(&current.get(), started_with, source) {
        Ok((next, file)) => {
            level.set(&next.settings);
            let words = in_plain_words(&next.rules);
            // The most important switch there is: the operator who turns it sees what it does.
            if words != in_plain_words(&current.get().rules) {
                words.iter().for_each(|line| tracing::info!("{line}"));
            }
            current.replace(next);
            let name = file.map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
            tracing::info!("configuration reloaded from {name}");
            true
        }
        Err(error) => {
            why_not_reloaded(&error)
                .iter()
                .for_each(|line| tracing::error!("{line}"));
            false
        }
    }
}

/// A line that says so, which is what people look for, and one for each mistake.
fn why_not_reloaded(error: &ServeError) -> Vec<String> {
    const BEGINS: &str = "not reloaded, the old settings stay";
    let ServeError::Load(LoadError::Mistakes(mistakes)) = error else {
        return vec![format!("{BEGINS}: {}", error_chain(error).replace('\n', "; "))];
    };
    let count = mistakes.lines().count();
    let are = if count == 1 { "mistake" } else { "mistakes" };
    let mut lines = vec![format!("{BEGINS}: {count} {are}")];
    lines.extend(mistakes.lines().take(MAX_MISTAKES_LOGGED).map(ToOwned::to_owned));
    if let Some(more) = count.checked_sub(MAX_MISTAKES_LOGGED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more: landmarc config check tells them"));
    }
    lines
}

/// What the file says now, made ready to work with, and the file that was read.
fn reloaded(
    old: &ActiveSettings,
    started_with: &Settings,
    source: &SettingsSource,
) -> Result<(ActiveSettings, Option<PathBuf>), ServeError> {
    let loaded = source.load()?;
    let next = ActiveSettings::new(loaded.clone(), Some(old))?;
    loaded.log_warnings();
    for key in landmarc_settings::restarts(started_with, &next.settings) {
        tracing::warn!("{key} has changed; that takes a restart");
    }
    Ok((next, loaded.file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(count: usize) -> Vec<String> {
        let lines: Vec<_> = (1..=count).map(|line| format!("f:{line}:1: wrong")).collect();
        why_not_reloaded(&LoadError::Mistakes(lines.join("\n")).into())
    }

    #[test]
    fn each_mistake_of_a_reload_has_a_line_up_to_a_limit() {
        assert_eq!(
            mistakes(1),
            ["not reloaded, the old settings stay: 1 mistake", "f:1:1: wrong"]
        );
        let at_limit = mistakes(MAX_MISTAKES_LOGGED);
        insta::assert_snapshot!(at_limit[0], @"not reloaded, the old settings stay: 20 mistakes");
        assert_eq!(at_limit.last().map(String::as_str), Some("f:20:1: wrong"));
        let past = mistakes(MAX_MISTAKES_LOGGED + 1);
        assert_eq!(past.len(), MAX_MISTAKES_LOGGED + 2);
        assert_eq!(
            past.last().map(String::as_str),
            Some("and 1 more: landmarc config check tells them")
        );
    }

    #[test]
    fn what_is_no_mistake_of_a_file_takes_one_line() {
        let error = LoadError::Io {
            file: "f".to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        };
        let lines = why_not_reloaded(&error.into());
        assert_eq!(lines.len(), 1);
        insta::assert_snapshot!(
            lines[0],
            @"not reloaded, the old settings stay: cannot read the settings file f: entity not found"
        );
    }
}
