//! The operator's own rules: from the file to the receiver, and which of them are to be looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use landmarc_mail::calendar::{DAY_SECONDS, day_end};
use landmarc_receiver::rule::{Rule, RuleConditions};
use landmarc_settings::rules::{self, OperatorRule};
use landmarc_store::{Day, RuleHits};

use crate::time;

/// A rule is told of so long before it expires: time enough to ask somebody who is away.
const EXPIRES_SOON_DAYS: u64 = 14;
/// A rule that decided about nothing for so long is told of: what comes once a month came three times.
const STALE_DAYS: u64 = 90;

/// The rules as the receiver takes them.
pub fn for_receiver(rules: &[OperatorRule]) -> Arc<[Rule]> {
    rules.iter().map(one).collect()
}

fn one(rule: &OperatorRule) -> Rule {
    Rule {
        name: rule.name.to_string(),
        conditions: conditions(rule),
        action: rule.action,
        kind: rule.override_type,
        reason: rule.reason.to_string(),
        owner: rule.owner.to_string(),
        ends: rule.expires.map(day_end),
    }
}

fn conditions(rule: &OperatorRule) -> RuleConditions {
    let rules::Conditions {
        author_domain,
        dkim_domain,
        client,
        client_name,
        list_id,
        arc_sealer,
        recipient,
    } = &rule.conditions;
    RuleConditions {
        result: rule.result.clone(),
        author_domain: author_domain.clone(),
        dkim_domain: dkim_domain.clone(),
        client: client
            .iter()
            .map(landmarc_settings::IpNetwork::addresses)
            .collect(),
        client_name: client_name.clone(),
        list_id: list_id.clone(),
        arc_sealer: arc_sealer.clone(),
        recipient: recipient.clone(),
    }
}

/// Whether a rule still applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Active,
    /// It does, for at most `EXPIRES_SOON_DAYS` more days.
    Expiring,
    /// It does not.
    Expired,
}

impl State {
    /// At this Unix time, in seconds.
    pub fn of(rule: &OperatorRule, now: u64) -> Self {
        match rule.expires.map(day_end) {
            Some(end) if end <= now => Self::Expired,
            Some(end) if end - now <= EXPIRES_SOON_DAYS * DAY_SECONDS => Self::Expiring,
            Some(_) | None => Self::Active,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
        }
    }
}

/// A line for each rule of the file that has expired, or soon will.
pub fn expiries(rules: &[OperatorRule], file: &str, now: u64) -> Vec<String> {
    let told = |rule: &OperatorRule| {
        let owner = &rule.owner;
        let day = rule.expires?;
        let what = match State::of(rule, now) {
            State::Active => return None,
            State::Expiring => {
                format!("applies until {day} only: {owner} can give it a later date, or let it go")
            }
            State::Expired => format!("applies no more since the end of {day}: {owner} can take it out"),
        };
        Some(warning(file, rule, &what))
    };
    rules.iter().filter_map(told).collect()
}

/// A line for each rule that asks about ARC chains, where none is validated.
pub fn blind_to_arc(rules: &[OperatorRule], file: &str) -> Vec<String> {
    let asking = rules.iter().filter(|rule| !rule.conditions.arc_sealer.is_empty());
    let what = "never holds, as no ARC chain is validated (arc.validate = \"never\")";
    asking.map(|rule| warning(file, rule, what)).collect()
}

fn warning(file: &str, rule: &OperatorRule, what: &str) -> String {
    let (line, column) = (rule.place.line, rule.place.column);
    format!("{file}:{line}:{column}: rule {}: warning: {what}", rule.name)
}

/// A line for each rule in force that has decided about no message for `STALE_DAYS`, or never
/// since it is known, if that is as long ago: it may not be needed any more.
pub fn stale(rules: &[OperatorRule], hits: &[RuleHits], now_ms: u64) -> Vec<String> {
    let by_name: BTreeMap<&str, &RuleHits> = hits.iter().map(|hits| (hits.name.as_str(), hits)).collect();
    let told = |rule: &OperatorRule| {
        let hits = by_name.get(rule.name.as_str())?;
        let since_ms = hits.last_ms.max(hits.first_ms);
        let is_old = now_ms.saturating_sub(since_ms) >= STALE_DAYS * DAY_SECONDS * 1_000;
        let is_in_force = State::of(rule, now_ms / 1_000) != State::Expired;
        (is_old && is_in_force).then(|| {
            format!(
                "rule {}: it decided about no message since {}; {} can say whether it is still needed",
                rule.name,
                time::date(Day::at(since_ms)),
                rule.owner
            )
        })
    };
    rules.iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use landmarc_receiver::rule::RuleAction;

    use super::*;

    /// The first second of 2027-04-01.
    const END: u64 = 1_806_537_600;

    fn read(lines: &str) -> Vec<OperatorRule> {
        let text = format!("[[rule]]\nname = \"r\"\nreason = \"why\"\nowner = \"anna\"\n{lines}");
        landmarc_settings::rules::read(&text).unwrap().0
    }

    fn until_march() -> Vec<OperatorRule> {
        read("action = \"accept\"\nclient = [\"192.0.2.0/24\"]\nexpires = 2027-03-31\n")
    }

    #[test]
    fn every_word_of_the_file_becomes_one_of_the_receiver() {
        let rules = read(
            r#"
            author_domain = ["acme.example", "*.acme.example"]
            dkim_domain = ["esp.example"]
            client = ["192.0.2.0/24"]
            client_name = ["*.out.example"]
            list_id = ["list.example"]
            arc_sealer = ["lists.example"]
            recipient = ["example.org", "Postmaster@example.org"]
            result = ["none", "pass", "fail", "temperror", "permerror"]
            action = "quarantine"
            override = "mailing_list"
            expires = 2027-03-31
            "#,
        );
        insta::assert_debug_snapshot!(for_receiver(&rules), @r#"
        [
            Rule {
                name: "r",
                conditions: RuleConditions {
                    result: [
                        None,
                        Pass,
                        Fail,
                        TempError,
                        PermError,
                    ],
                    author_domain: [
                        Exactly(
                            "acme.example",
                        ),
                        Below(
                            "acme.example",
                        ),
                    ],
                    dkim_domain: [
                        Exactly(
                            "esp.example",
                        ),
                    ],
                    client: [
                        192.0.2.0..=192.0.2.255,
                    ],
                    client_name: [
                        Below(
                            "out.example",
                        ),
                    ],
                    list_id: [
                        Exactly(
                            "list.example",
                        ),
                    ],
                    arc_sealer: [
                        Exactly(
                            "lists.example",
                        ),
                    ],
                    recipient: [
                        Domain(
                            Exactly(
                                "example.org",
                            ),
                        ),
                        Address {
                            local_part: "Postmaster",
                            domain: "example.org",
                        },
                    ],
                },
                action: Quarantine,
                kind: MailingList,
                reason: "why",
                owner: "anna",
                ends: Some(
                    1806537600,
                ),
            },
        ]
        "#);
    }

    #[test]
    fn actions_and_override_types_keep_their_names() {
        for (action, expected) in [
            ("accept", RuleAction::Accept),
            ("quarantine", RuleAction::Quarantine),
            ("reject", RuleAction::Reject),
        ] {
            let rules = read(&format!("action = \"{action}\"\nclient = [\"::1\"]\n"));
            assert_eq!(for_receiver(&rules)[0].action, expected);
        }
        for kind in ["local_policy", "mailing_list", "trusted_forwarder", "other"] {
            let rules = read(&format!(
                "action = \"accept\"\noverride = \"{kind}\"\nclient = [\"::1\"]\n"
            ));
            assert_eq!(for_receiver(&rules)[0].kind.as_str(), kind);
        }
    }

    #[test]
    fn a_rule_applies_to_the_last_second_of_its_day() {
        let rules = until_march();
        let at = |now: u64| {
            (
                State::of(&rules[0], now),
                for_receiver(&rules)[0].is_in_force(now),
            )
        };
        assert_eq!(at(END - 14 * 86_400 - 1), (State::Active, true));
        assert_eq!(at(END - 14 * 86_400), (State::Expiring, true));
        assert_eq!(at(END - 1), (State::Expiring, true));
        assert_eq!(at(END), (State::Expired, false));
        let forever = read("action = \"accept\"\nclient = [\"192.0.2.0/24\"]\n");
        assert_eq!(State::of(&forever[0], u64::MAX), State::Active);
    }

    #[test]
    fn what_expires_is_told_with_its_place_and_its_owner() {
        let told = |now: u64| expiries(&until_march(), "rules.toml", now);
        assert_eq!(told(END - 15 * 86_400), [""; 0]);
        assert_eq!(
            told(END - 1),
            [
                "rules.toml:1:1: rule r: warning: applies until 2027-03-31 only: anna can give it a later date, \
                 or let it go"
            ]
        );
        assert_eq!(
            told(END),
            [
                "rules.toml:1:1: rule r: warning: applies no more since the end of 2027-03-31: anna can take it out"
            ]
        );
    }

    #[test]
    fn where_no_chain_is_validated_rules_that_ask_about_one_are_told() {
        assert_eq!(blind_to_arc(&until_march(), "f"), [""; 0]);
        let asking = read("action = \"accept\"\narc_sealer = [\"lists.example\"]\n");
        assert_eq!(
            blind_to_arc(&asking, "f"),
            ["f:1:1: rule r: warning: never holds, as no ARC chain is validated (arc.validate = \"never\")"]
        );
    }

    #[test]
    fn a_rule_is_stale_ninety_days_after_its_last_hit_or_without_any_since_it_is_known() {
        const LAST_MS: u64 = 1_780_272_000_000;
        let hits = |name: &str| {
            [RuleHits {
                name: name.to_owned(),
                hits: 3,
                first_ms: 1,
                last_ms: LAST_MS,
            }]
        };
        let never = [RuleHits {
            name: "r".to_owned(),
            hits: 0,
            first_ms: LAST_MS,
            last_ms: 0,
        }];
        let rules = until_march();
        let later = |days: u64| LAST_MS + days * 86_400_000;
        assert_eq!(stale(&rules, &hits("r"), later(90) - 1), [""; 0]);
        assert_eq!(
            stale(&rules, &hits("r"), later(90)),
            ["rule r: it decided about no message since 2026-06-01; anna can say whether it is still needed"]
        );
        assert_eq!(stale(&rules, &never, later(90) - 1), [""; 0]);
        assert_eq!(
            stale(&rules, &never, later(90)),
            stale(&rules, &hits("r"), later(90))
        );
        assert_eq!(stale(&rules, &hits("other"), later(90)), [""; 0]);
        assert_eq!(stale(&rules, &[], later(1_000)), [""; 0]);
        // That it has expired is told already.
        assert_eq!(stale(&rules, &hits("r"), END * 1_000), [""; 0]);
    }
}
