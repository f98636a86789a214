//! The table of what is written down, and for how long.

use std::path::PathBuf;

use crate::value::unit::Size;

table! {
    /// What is written down, and for how long it is kept.
    pub struct Store {
        keys {
            /// The directory of the database, landmarc.db. Empty: the one that systemd gives the
            /// service, or "/var/lib/landmarc" for root and where that exists, or "landmarc" below
            /// the data directory of the user (XDG_DATA_HOME, ~/.local/share).
            directory: Option<PathBuf> = None, restarts since "0.1.0";

            /// Whether each message is written down with the explanation of its verdict, for "explain" and
            /// "log". Without it there are only the counts that reports are made from. Local
            /// parts, subjects and bodies are never written down.
            observations: bool = true, restarts since "0.1.0";

            /// For how many days messages are kept.
            observation_days: u32 = 14, [1..=3650, "days"], reloads since "0.1.0";

            /// For how many days the counts are kept that reports and pages are made from.
            tally_days: u32 = 400, [2..=3650, "days"], reloads since "0.1.0";

            /// The largest size of the database. Past it, records go before their time: counts as far as
            /// they take more than half of it, old days of senders with many rows first; then explanations;
            /// messages and counts before yesterday; at last what the sender with most of them has of
            /// yesterday and today.
            max_size: Size = Size::mib(16 << 10), [Size::mib(64)..=Size::mib(1 << 24)],
                reloads since "0.1.0";

            /// How much may wait in memory while the database cannot be written: on a full disk,
            /// say. Past it explanations are given up first, then messages, counts last; the metrics tell.
            memory: Size = Size::mib(64), [Size::mib(1)..=Size::mib(1 << 14)], restarts since "0.1.0";
        }
    }
}
