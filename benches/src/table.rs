//! Rows of figures, and how they are written: as measured, and as they would be on the machine
//! on which the goals were set.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::process::{Cpu, Memory};

/// CPU seconds of the corpus's arithmetic for 1,000 messages on the machine of the goals.
const ARITHMETIC_THERE: f64 = 0.04;

/// CPU seconds of opendkim and opendmarc for 1,000 messages there, at 8 connections.
const PEER_THERE: f64 = 1.7;

/// The filter, and the connections, by which machines are compared.
pub(crate) const YARDSTICK: (&str, usize) = ("opendkim+opendmarc", 8);

/// What one filter took for all messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) filter: String,
    /// Milliseconds that each DNS answer takes.
    pub(crate) delay: usize,
    pub(crate) connections: usize,
    pub(crate) messages: usize,
    pub(crate) cpu: Cpu,
    /// Messages for each second of the clock.
    pub(crate) rate: f64,
    /// Milliseconds, as are the others.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) mean: f64,
    pub(crate) memory: Memory,
    pub(crate) questions: usize,
    /// Messages of which something was said that is not as expected.
    pub(crate) wrong: usize,
    /// Messages that the filter wrote down; nothing when it writes down none.
    pub(crate) recorded: Option<u64>,
}

impl Row {
    /// CPU seconds for 1,000 messages.
    pub(crate) fn cpu_per_thousand(&self) -> f64 {
        self.cpu.total() * self.per_thousand()
    }

    fn per_thousand(&self) -> f64 {
        1000.0 / self.messages.max(1) as f64
    }
}

/// Of several runs of the same thing that with the middle CPU time.
pub(crate) fn median(mut rows: Vec<Row>) -> Option<Row> {
    rows.sort_by(|a, b| a.cpu.total().total_cmp(&b.cpu.total()));
    let middle = rows.len().saturating_sub(1) / 2;
    (middle < rows.len()).then(|| rows.swap_remove(middle))
}

/// How this machine compares with that of the goals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// CPU seconds of the arithmetic for 1,000 messages, here.
    pub(crate) arithmetic: f64,
    /// CPU seconds of the yardstick for 1,000 messages, here; nothing when it did not run.
    pub(crate) peer: Option<f64>,
}

impl Scale {
    /// Takes the yardstick from rows without a DNS delay.
    pub(crate) fn new(arithmetic: f64, rows: &[Row]) -> Self {
        let yardstick = rows
            .iter()
            .find(|row| (row.filter.as_str(), row.connections) == YARDSTICK && row.delay == 0);
        Self {
            arithmetic,
            peer: yardstick.map(Row::cpu_per_thousand),
        }
    }

    fn by_arithmetic(self, seconds: f64) -> String {
        format!("{:.2}", seconds * ARITHMETIC_THERE / self.arithmetic)
    }

    fn by_peer(self, seconds: f64) -> String {
        let scaled = self.peer.map(|here| seconds * PEER_THERE / here);
        scaled.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2}"))
    }
}

/// A table in Markdown.
pub(crate) fn table(rows: &[Row], scale: Scale) -> String {
    let mut text = "\
| filter | DNS delay | c | **CPU s / 1000** | scaled by the arithmetic | scaled by the peer | user | sys | msg/s \
| p50 ms | p99 ms | mean ms | peak RSS MiB | PSS MiB | DNS q/msg | wrong | recorded |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let seconds = row.cpu_per_thousand();
        let recorded = row
            .recorded
            .map_or_else(|| "-".to_owned(), |count| format!("{count} of {}", row.messages));
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "| {} | {} ms | {} | **{seconds:.3}** | {} | {} | {:.3} | {:.3} | {:.0} | {:.2} | {:.1} | {:.2} | {:.0} \
             | {:.0} | {:.2} | {} | {recorded} |",
            row.filter,
            row.delay,
            row.connections,
            scale.by_arithmetic(seconds),
            scale.by_peer(seconds),
            row.cpu.user * row.per_thousand(),
            row.cpu.system * row.per_thousand(),
            row.rate,
            row.p50,
            row.p99,
            row.mean,
            row.memory.peak_rss,
            row.memory.pss,
            row.questions as f64 / row.messages.max(1) as f64,
            row.wrong,
        );
    }
    text
}

/// How often each kind of difference was seen, by filter, with one example of each.
pub(crate) type Wrong = BTreeMap<String, BTreeMap<String, (usize, String)>>;

/// A list in Markdown of what was not as expected.
pub(crate) fn wrong(by_filter: &Wrong) -> String {
    let mut text = String::new();
    for (filter, kinds) in by_filter {
        let all: Vec<String> = kinds
            .iter()
            .map(|(kind, (count, _))| format!("{kind}: {count}"))
            .collect();
        let all = if all.is_empty() {
            "every verdict as expected".to_owned()
        } else {
            all.join("; ")
        };
        let _ = writeln!(text, "- {filter}: {all}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(filter: &str, seconds: f64) -> Row {
        Row {
            filter: filter.to_owned(),
            connections: 8,
            messages: 2000,
            cpu: Cpu {
                user: seconds,
                system: 0.0,
            },
            ..Row::default()
        }
    }

    #[test]
    fn the_middle_of_several_runs_counts() {
        let middle = |seconds: &[f64]| {
            let rows = seconds.iter().map(|&seconds| row("a", seconds)).collect();
            median(rows).map(|row| row.cpu.user)
        };
        assert_eq!(middle(&[]), None);
        assert_eq!(middle(&[3.0]), Some(3.0));
        assert_eq!(middle(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(middle(&[4.0, 1.0, 3.0, 2.0]), Some(2.0));
    }

    #[test]
    fn figures_are_scaled_to_the_machine_of_the_goals() {
        let rows = [row("landmarc", 1.0), row(YARDSTICK.0, 6.8)];
        let scale = Scale::new(0.1, &rows);
        assert_eq!(scale.peer, Some(3.4));
        assert_eq!(scale.by_arithmetic(0.5), "0.20");
        assert_eq!(scale.by_peer(0.5), "0.25");
        let text = table(&rows[..1], scale);
        assert!(
            text.contains("| landmarc | 0 ms | 8 | **0.500** | 0.20 | 0.25 | 0.500 | 0.000 |"),
            "{text}"
        );
    }

    #[test]
    fn without_the_yardstick_there_is_no_figure_by_it() {
        let scale = Scale::new(0.1, &[row("landmarc", 1.0)]);
        assert_eq!(scale.by_peer(0.5), "-");
    }
}
