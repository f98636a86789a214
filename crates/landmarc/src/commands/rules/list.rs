//! `rules list`: what there is, until when, and whether it is of use.

use std::path::{Path, PathBuf};

use clap::Args;
use landmarc_settings::rules::OperatorRule;
use landmarc_store::{Reader, RuleHits};
use serde_json::json;

use crate::failure::CommandResult;
use crate::listing::{self, Field, field};
use crate::loading::load_with_rules;
use crate::notes::{note, print_note};
use crate::output::print;
use crate::table::{self, Column, Cut, column};
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::database;
use landmarc_runtime::load::Loaded;
use landmarc_runtime::rules::operator::{State, stale};
use landmarc_runtime::time::to_the_second;

/// What the help says below the options.
const AFTER_HELP: &str = "\
A rule is active, expiring (within 14 days) or expired. Hits are the messages that it decided about, \
whether or not it changed what was done; where the database cannot be read they are \"-\". A rule \
that once decided, and about nothing for 90 days, is told of on standard error.\n\n\
Exit code: 0, also when there are no rules; 78 for wrong settings or rules.";

/// Arguments of `rules list`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RulesListArguments {
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// List the rules in this file, in place of those of action.rules_file
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Print one JSON object for each rule, on a line of its own
    #[arg(long)]
    json: bool,
}

const COLUMNS: [Column; 7] = [
    column("name", 0, 0, Cut::End),
    column("action", 0, 0, Cut::End),
    column("state", 0, 0, Cut::End),
    column("expires", 0, 0, Cut::End),
    column("hits", 0, 0, Cut::End),
    column("last_hit", 0, 0, Cut::End),
    column("owner", 0, 0, Cut::End),
];

pub(super) fn run(arguments: &RulesListArguments) -> CommandResult {
    let loaded = load_with_rules(arguments.config.as_deref(), arguments.rules.as_deref())?;
    let rules = &loaded.operator.rules;
    let hits = hits(&database::path(&loaded.settings));
    let now_ms = now_ms();
    stale(rules, hits.as_deref().unwrap_or_default(), now_ms)
        .iter()
        .for_each(|line| print_note(line));
    let line = |rule| Line {
        rule,
        state: State::of(rule, now_ms / 1_000),
        hits: hits.as_ref().map(|hits| of_rule(hits, rule)),
    };
    let lines: Vec<_> = rules.iter().map(line).collect();
    print(&match arguments.json {
        true => as_json(&lines),
        false if rules.is_empty() => none(&loaded),
        false => as_table(&lines),
    })
}

/// Why there is nothing to list.
fn none(loaded: &Loaded) -> String {
    match (&loaded.operator.file, &loaded.settings.action.rules_file) {
        (Some(file), _) => format!("{}: no rules\n", file.display()),
        (None, Some(file)) => format!("no rules: {} does not exist\n", file.display()),
        (None, None) => "no rules: action.rules_file is empty\n".to_owned(),
    }
}

/// The hits of every rule that ever decided; nothing where they cannot be known, and then it is
/// said why. A store that is not there yet has counted nothing, but a wrong path looks the same.
fn hits(path: &Path) -> Option<Vec<RuleHits>> {
    let hits = Reader::open(path).and_then(|reader| reader.rule_hits());
    match hits {
        Ok(hits) => Some(hits),
        Err(error) => {
            note!("landmarc: warning: hits are not known: {}", error.in_full());
            None
        }
    }
}

fn of_rule<'a>(hits: &'a [RuleHits], rule: &OperatorRule) -> Option<&'a RuleHits> {
    hits.iter().find(|hits| hits.name == rule.name.as_str())
}

/// When a rule decided last; none when it never did.
fn last_hit(hits: &RuleHits) -> Option<u64> {
    (hits.hits > 0).then_some(hits.last_ms)
}

/// One rule, and what is known of it.
struct Line<'a> {
    rule: &'a OperatorRule,
    state: State,
    /// None where hits are not known; none inside where it had none.
    hits: Option<Option<&'a RuleHits>>,
}

/// Keys are never missing; what is absent is null.
fn fields<'a>() -> [Field<Line<'a>>; 11] {
    [
        field("name", |line| line.rule.name.as_str().into()),
        field("action", |line| line.rule.action.as_str().into()),
        field("state", |line| line.state.as_str().into()),
        field("expires", |line| {
            json!(line.rule.expires.map(|day| day.to_string()))
        }),
        field("hits", |line| {
            json!(line.hits.map(|hits| hits.map_or(0, |hits| hits.hits)))
        }),
        field("known_since", |line| {
            json!(line.known().map(|hits| to_the_second(hits.first_ms)))
        }),
        field("last_hit", |line| {
            json!(line.known().and_then(last_hit).map(to_the_second))
        }),
        field("owner", |line| line.rule.owner.as_str().into()),
        field("reason", |line| line.rule.reason.as_str().into()),
        field("override", |line| line.rule.override_type.as_str().into()),
        field("line", |line| line.rule.place.line.into()),
    ]
}

impl Line<'_> {
    /// The hits, where they are known and there were some.
    fn known(&self) -> Option<&RuleHits> {
        self.hits.flatten()
    }
}

fn as_table<'a>(lines: &[Line<'a>]) -> String {
    let fields = fields();
    let cell = |line: &Line<'a>, name: &str| listing::word(&fields, line, name);
    table::of_rows(&COLUMNS, lines, cell, None)
}

fn as_json(lines: &[Line<'_>]) -> String {
    listing::as_json(lines, |line| listing::object(&fields(), line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(hits: Option<Option<&RuleHits>>, now: u64) -> (String, String) {
        let (rules, _) = landmarc_settings::rules::read(
            "[[rule]]\nname = \"acme\"\nclient = [\"192.0.2.1\"]\naction = \"accept\"\nreason = \"why\"\n\
             owner = \"anna\"\nexpires = 2027-03-31\n",
        )
        .unwrap();
        let line = Line {
            rule: &rules[0],
            state: State::of(&rules[0], now),
            hits,
        };
        let lines = [line];
        (as_table(&lines), as_json(&lines))
    }

    #[test]
    fn a_rule_with_hits_shows_the_last() {
        let hits = RuleHits {
            name: "acme".to_owned(),
            hits: 41,
            first_ms: 1_780_272_000_000,
            last_ms: 1_780_272_061_500,
        };
        let (table, object) = lines(Some(Some(&hits)), 0);
        insta::assert_snapshot!(table, @r#"
        name  action  state   expires     hits  last_hit              owner
        acme  accept  active  2027-03-31  41    2026-06-01T00:01:01Z  anna
        "#);
        insta::assert_snapshot!(object, @r#"{"name":"acme","action":"accept","state":"active","expires":"2027-03-31","hits":41,"known_since":"2026-06-01T00:00:00Z","last_hit":"2026-06-01T00:01:01Z","owner":"anna","reason":"why","override":"local_policy","line":1}"#);
    }

    #[test]
    fn no_hits_and_unknown_hits_are_not_the_same() {
        let (none, object) = lines(Some(None), 1_806_537_599);
        assert_eq!(
            none.lines().last(),
            Some("acme  accept  expiring  2027-03-31  0     -         anna")
        );
        assert!(object.contains("\"hits\":0,\"known_since\":null"), "{object}");
        let (unknown, object) = lines(None, 1_806_537_600);
        assert_eq!(
            unknown.lines().last(),
            Some("acme  accept  expired  2027-03-31  -     -         anna")
        );
        assert!(object.contains("\"hits\":null"), "{object}");
    }
}
