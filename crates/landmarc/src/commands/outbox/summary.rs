//! What `outbox send` came to: in words for people, as one object for programs. The object has the same
//! keys whatever the run was for.

use landmarc_store::Day;
use serde_json::{Map, Value, json};

use super::rows::counted;
use crate::exit::Exit;
use crate::figures::grouped;
use landmarc_mail::text::visible;
use landmarc_reporter::{DayMade, SendCounts};
use landmarc_runtime::time::date;

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) days: Vec<(Day, DayMade)>,
    pub(super) sent: SendCounts,
    /// Deliveries that are still to be sent.
    pub(super) waiting: u64,
    /// It was to stop before it was done.
    pub(super) was_stopped: bool,
}

impl Summary {
    /// One for scripts: whether somebody should look.
    pub(super) fn exit(&self) -> Exit {
        let has_failed = self.sent.deferred + self.sent.given_up > 0 || self.sent.relay.is_some();
        if has_failed || self.was_stopped {
            Exit::Findings
        } else {
            Exit::Fine
        }
    }

    /// The days, and what became of deliveries.
    pub(super) fn in_words(&self) -> String {
        let mut text: String = self
            .days
            .iter()
            .map(|(day, made)| day_in_words(*day, made))
            .collect();
        text.push_str(&self.deliveries_in_words());
        if self.waiting > 0 {
            text.push_str(&format!(
                "{} still to be sent (landmarc outbox list)\n",
                counted(self.waiting, "delivery")
            ));
        }
        if self.was_stopped {
            text.push_str("stopped before the end; nothing is lost\n");
        }
        if text.is_empty() {
            text.push_str("nothing to send\n");
        }
        text
    }

    /// What became of deliveries, and the first reason why of those that need somebody to look.
    pub(super) fn deliveries_in_words(&self) -> String {
        let sent = &self.sent;
        let all = [
            (sent.delivered, "delivered"),
            (sent.deferred, "to be tried again"),
            (sent.given_up, "given up"),
            (sent.suppressed, "suppressed"),
            (sent.split, "sent in parts"),
        ];
        let parts = all.iter().filter(|(number, _)| *number > 0);
        let parts: Vec<_> = parts
            .map(|(number, what)| format!("{} {what}", grouped(*number)))
            .collect();
        let mut text = String::new();
        if !parts.is_empty() {
            text.push_str(&format!("deliveries: {}\n", parts.join(", ")));
        }
        if let Some(why) = &sent.why_given_up {
            text.push_str(&format!("the first that was given up: {}\n", visible(why)));
        }
        if let Some(why) = &sent.relay {
            text.push_str(&format!("the relay takes no messages: {}\n", visible(why)));
        }
        text
    }

    /// The same for programs; `mode` is `send`, `no_update` or `dry_run`.
    pub(super) fn object(&self, mode: &str) -> Map<String, Value> {
        let day = |(day, made): &(Day, DayMade)| {
            json!({
                "day": date(*day),
                "domains": made.counts.domains,
                "reports": made.counts.reports,
                "messages": made.counts.messages,
                "deliveries": made.deliveries,
                "skipped": made.counts.skipped,
                "limited": made.limited.all(),
                "settled_before": made.before,
                "done": made.is_done,
            })
        };
        let values = [
            ("mode", json!(mode)),
            ("dry_run", json!(mode == "dry_run")),
            ("days", self.days.iter().map(day).collect()),
            ("deliveries", deliveries(&self.sent)),
            ("relay", json!(self.sent.relay)),
            ("waiting", json!(self.waiting)),
            ("stopped", json!(self.was_stopped)),
        ];
        values
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect()
    }
}

fn day_in_words(day: Day, made: &DayMade) -> String {
    let counts = &made.counts;
    let mut parts = Vec::new();
    if counts.reports > 0 {
        parts.push(format!(
            "{} about {}, {}",
            counted(counts.reports, "report"),
            counted(counts.messages, "message"),
            counted(made.deliveries, "delivery")
        ));
    }
    if counts.skipped > 0 {
        let get = if counts.skipped == 1 { "gets" } else { "get" };
        parts.push(format!(
            "{} {get} no report (landmarc outbox due --day {} tells why)",
            counted(counts.skipped, "domain"),
            date(day)
        ));
    }
    if made.limited.all() > 0 {
        parts.push(format!(
            "limits of report mail ([report] in the settings) keep mail about {} back",
            counted(made.limited.all(), "domain")
        ));
    }
    if made.before > 0 {
        parts.push(format!("{} done with before", counted(made.before, "domain")));
    }
    if parts.is_empty() {
        parts.push("nothing to report".to_owned());
    }
    format!("{}: {}\n", date(day), parts.join("; "))
}

fn deliveries(sent: &SendCounts) -> Value {
    json!({
        "delivered": sent.delivered,
        "deferred": sent.deferred,
        "given_up": sent.given_up,
        "suppressed": sent.suppressed,
        "split": sent.split,
    })
}

#[cfg(test)]
mod tests {
    use landmarc_store::DayCounts;

    use super::*;

    fn summary(sent: SendCounts) -> Summary {
        let made = DayMade {
            counts: DayCounts {
                domains: 3,
                reports: 2,
                messages: 1_234,
                skipped: 1,
            },
            deliveries: 2,
            limited: DayMade::default().limited,
            before: 0,
            is_done: true,
        };
        Summary {
            days: vec![(Day(20_605), made)],
            waiting: sent.deferred,
            sent,
            was_stopped: false,
        }
    }

    #[test]
    fn the_summary_says_what_was_made_and_what_became_of_deliveries() {
        let sent = SendCounts {
            delivered: 1,
            deferred: 1,
            ..SendCounts::default()
        };
        insta::assert_snapshot!(summary(sent).in_words(), @r"
        2026-06-01: 2 reports about 1,234 messages, 2 deliveries; 1 domain gets no report (landmarc outbox due --day 2026-06-01 tells why)
        deliveries: 1 delivered, 1 to be tried again
        1 delivery still to be sent (landmarc outbox list)
        ");
        assert_eq!(Summary::default().in_words(), "nothing to send\n");
        let again = Summary {
            days: vec![(
                Day(20_605),
                DayMade {
                    before: 3,
                    ..DayMade::default()
                },
            )],
            ..Summary::default()
        };
        insta::assert_snapshot!(again.in_words(), @"2026-06-01: 3 domains done with before");
        let none = Summary {
            days: vec![(Day(20_605), DayMade::default())],
            ..Summary::default()
        };
        assert_eq!(none.in_words(), "2026-06-01: nothing to report\n");
    }

    #[test]
    fn the_first_reason_is_printed_where_somebody_should_look() {
        let sent = SendCounts {
            given_up: 2,
            why_given_up: Some("RCPT: 550 5.1.1 no such user".to_owned()),
            relay: Some("connect: refused".to_owned()),
            ..SendCounts::default()
        };
        insta::assert_snapshot!(summary(sent).deliveries_in_words(), @r"
        deliveries: 2 given up
        the first that was given up: RCPT: 550 5.1.1 no such user
        the relay takes no messages: connect: refused
        ");
    }

    /// Checklist T2: exit 1 on any failure.
    #[test]
    fn any_delivery_that_failed_is_a_finding() {
        let exit = |sent: SendCounts| summary(sent).exit();
        let none = SendCounts::default;
        assert_eq!(exit(none()), Exit::Fine);
        let went_well = SendCounts {
            delivered: 9,
            suppressed: 1,
            split: 1,
            ..none()
        };
        assert_eq!(exit(went_well), Exit::Fine);
        let deferred = SendCounts {
            deferred: 1,
            ..none()
        };
        assert_eq!(exit(deferred), Exit::Findings);
        let given_up = SendCounts {
            given_up: 1,
            ..none()
        };
        assert_eq!(exit(given_up), Exit::Findings);
        let unusable = SendCounts {
            relay: Some("no".to_owned()),
            ..none()
        };
        assert_eq!(exit(unusable), Exit::Findings);
        let stopped = Summary {
            was_stopped: true,
            ..summary(none())
        };
        assert_eq!(stopped.exit(), Exit::Findings);
    }
}
