//! Whether the settings that run are those of the file.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Counters, counters};

/// What came of reading the settings. At the start they were read, or there would be no service.
#[derive(Debug)]
pub struct Reloads {
    results: Counters<1>,
    last_successful: Gauge,
    /// Unix time in seconds.
    loaded: Gauge,
}

impl Reloads {
    /// Of settings that have just been read for the first time.
    pub fn new(loaded: SystemTime) -> Self {
        let reloads = Self {
            results: counters("result", ["ok", "failed"]),
            last_successful: Gauge::default(),
            loaded: Gauge::default(),
        };
        reloads.last_successful.set(1);
        reloads.loaded.set(unix_seconds(loaded));
        reloads
    }

    /// They were read again and are in force.
    pub fn succeeded(&self) {
        self.results.get_or_create(&[("result", "ok")]).inc();
        self.loaded.set(unix_seconds(SystemTime::now()));
        self.last_successful.set(1);
    }

    /// They could not be, so the old ones stay.
    pub fn failed(&self) {
        self.results.get_or_create(&[("result", "failed")]).inc();
        self.last_successful.set(0);
    }

    /// Whether those in force are the last that somebody wanted.
    pub fn is_current(&self) -> bool {
        self.last_successful.get() == 1
    }

    /// Adds them to what is printed.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "landmarc_config_reloads",
            "Reloads of the settings, by whether the new ones were taken up",
            self.results.clone(),
        );
        registry.register(
            "landmarc_config_last_reload_successful",
            "0 after a reload that failed: the settings are older than their file",
            self.last_successful.clone(),
        );
        registry.register_with_unit(
            "landmarc_config_loaded_timestamp",
            "When the settings in force were read, in Unix time",
            Unit::Seconds,
            self.loaded.clone(),
        );
    }
}

fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempt_tells_whether_the_settings_are_those_of_the_file() {
        let reloads = Reloads::new(UNIX_EPOCH);
        let counts =
            || ["ok", "failed"].map(|result| reloads.results.get_or_create(&[("result", result)]).get());
        assert!(reloads.is_current());
        assert_eq!(reloads.loaded.get(), 0);
        reloads.failed();
        reloads.failed();
        assert_eq!((reloads.is_current(), counts()), (false, [0, 2]));
        assert_eq!(reloads.loaded.get(), 0, "the old ones stay");
        reloads.succeeded();
        assert_eq!((reloads.is_current(), counts()), (true, [1, 2]));
        assert!(reloads.loaded.get() > 0);
    }
}
