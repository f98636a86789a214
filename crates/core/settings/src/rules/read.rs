//! From text to rules.

use std::collections::BTreeMap;

use jiff::civil::Date;
use landmarc_receiver::disposition::OverrideKind;
use landmarc_receiver::rule::{NamePattern, ResultWord, RuleAction};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Conditions, MAX_ENTRIES, OperatorRule, Owner, Reason, RuleName};
use crate::mistake::{Mistake, MistakeKind, Mistakes};
use crate::place::LineIndex;
use crate::reader::{RULE, TableReader};
use crate::syntax::{self, not_utf8, with_syntax};
use crate::text::join;
use crate::value::{self, Faults, SettingValue, TextValue};
use crate::warning::{Concern, Warning};
use crate::written::Name;
use crate::{IpNetwork, nearest};

/// The most rules of a file: each failing message is held against all of them.
pub const MAX_RULES: usize = 1_000;

/// Every key of a rule.
const KEYS: [&str; 14] = [
    "name",
    "author_domain",
    "dkim_domain",
    "client",
    "client_name",
    "list_id",
    "arc_sealer",
    "recipient",
    "result",
    "action",
    "override",
    "reason",
    "owner",
    "expires",
];

/// What a rule must say, and how to mend that it does not.
const REQUIRED: [(&str, &str); 4] = [
    ("name", "give the rule a name, for the log and for commands"),
    ("action", "write \"accept\", \"quarantine\" or \"reject\""),
    ("reason", "write why there is such a rule; reports tell it"),
    ("owner", "write who answers for the rule"),
];

/// Reads a file of rules: TOML, at most [`MAX_FILE_OCTETS`](crate::MAX_FILE_OCTETS), in the order of the file. The empty
/// text has none. The warnings are for rules that should be looked at.
///
/// # Errors
/// Every mistake there is, in the order of the file.
pub fn read(text: &str) -> Result<(Vec<OperatorRule>, Vec<Warning>), Mistakes> {
    let lines = LineIndex::new(text);
    let (table, syntax) = syntax::parse(text, &lines)?;
    let mut sheet = Sheet::new(&lines);
    for (name, value) in table.get_ref() {
        match (name.get_ref().as_ref(), value.get_ref().as_array()) {
            (RULE, Some(rules)) => sheet.rules(rules),
            (RULE, None) => sheet.not_rules(value),
            _ => sheet.other(name, value),
        }
    }
    let keys = sheet.keys_by_line.iter().map(|(line, key)| (*line, key.as_str()));
    let all = with_syntax(sheet.mistakes, syntax, &keys.collect());
    if !all.is_empty() {
        let names = || KEYS.iter().map(|key| join(RULE, key)).chain([RULE.to_owned()]);
        return Err(Mistakes::gather(all, |unknown| {
            nearest::nearest_of(unknown, names())
        }));
    }
    let warnings = sheet.rules.iter().filter_map(warning).collect();
    Ok((sheet.rules, warnings))
}

/// As [`read`], from octets that should be UTF-8, as a file holds them.
///
/// # Errors
/// As there; where the octets are not UTF-8, one mistake at the first that is not.
pub fn read_octets(octets: &[u8]) -> Result<(Vec<OperatorRule>, Vec<Warning>), Mistakes> {
    match str::from_utf8(octets) {
        Ok(text) => read(text),
        Err(error) => Err(not_utf8(octets, error.valid_up_to())),
    }
}

/// A rule that lets anybody in who knows it.
fn warning(rule: &OperatorRule) -> Option<Warning> {
    let is_open = rule.action == RuleAction::Accept && rule.conditions.anybody_can_meet_them();
    is_open.then(|| Warning {
        place: Some(rule.place),
        key: format!("{RULE} {}", rule.name),
        concern: Concern::AnybodyCanMeetIt,
    })
}

/// What has been read so far.
struct Sheet<'t> {
    lines: &'t LineIndex<'t>,
    rules: Vec<OperatorRule>,
    mistakes: Vec<Mistake>,
    /// The line each name was first given on.
    names: BTreeMap<RuleName, usize>,
    keys_by_line: BTreeMap<usize, String>,
}

impl<'t> Sheet<'t> {
    fn new(lines: &'t LineIndex<'t>) -> Self {
        Self {
            lines,
            rules: Vec::new(),
            mistakes: Vec::new(),
            names: BTreeMap::new(),
            keys_by_line: BTreeMap::new(),
        }
    }

    fn rules(&mut self, rules: &[Spanned<DeValue<'_>>]) {
        for value in rules.iter().take(MAX_RULES) {
            self.rule(value);
        }
        if let Some(first) = rules.get(MAX_RULES) {
            let wrong = MistakeKind::TooMany {
                found: rules.len(),
                what: "rules",
                most: MAX_RULES,
            };
            self.mistake(first, RULE.to_owned(), wrong);
        }
    }

    fn rule(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.not_rules(value);
        };
        let mut reader = TableReader::inside(self.lines, RULE);
        let mut draft = Draft::default();
        for (name, value) in table {
            draft.take(name, value, &mut reader);
        }
        let rule = draft.finish(table, value, &mut reader, self.lines);
        let (mistakes, written) = reader.into_parts();
        self.mistakes.extend(mistakes);
        let keys = written.keys_by_line().into_iter();
        self.keys_by_line
            .extend(keys.map(|(line, key)| (line, key.to_owned())));
        if let Some(rule) = rule {
            self.add(rule, table);
        }
    }

    fn add(&mut self, rule: OperatorRule, table: &DeTable<'_>) {
        if let Some(first) = self.names.get(&rule.name) {
            let why = format!(
                "{:?} is the name of the rule at line {first} already",
                rule.name.as_str()
            );
            if let Some(value) = table.get("name") {
                self.mistake(value, join(RULE, "name"), MistakeKind::Refused(why));
            }
            return;
        }
        self.names.insert(rule.name.clone(), rule.place.line);
        self.rules.push(rule);
    }

    fn not_rules(&mut self, value: &Spanned<DeValue<'_>>) {
        let found = value::found(value);
        let wrong = MistakeKind::Refused(format!(
            "{found} stands where a list of rules is meant; begin each rule with [[{RULE}]]"
        ));
        self.mistake(value, RULE.to_owned(), wrong);
    }

    fn other(&mut self, name: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let mut reader = TableReader::new(self.lines);
        reader.unknown(name, value);
        self.mistakes.extend(reader.into_parts().0);
    }

    fn mistake(&mut self, value: &Spanned<DeValue<'_>>, key: String, wrong: MistakeKind) {
        self.mistakes.push(Mistake {
            place: Some(self.lines.place(value.span().start)),
            key,
            wrong,
        });
    }
}

/// A rule as far as it could be read.
#[derive(Default)]
struct Draft {
    name: Option<RuleName>,
    conditions: Conditions,
    result: Option<Vec<ResultWord>>,
    action: Option<RuleAction>,
    override_type: Option<OverrideKind>,
    reason: Option<Reason>,
    owner: Option<Owner>,
    expires: Option<Date>,
    /// Whether a condition is written, right or wrong.
    has_condition: bool,
    has_unknown_key: bool,
}

impl Draft {
    fn take(&mut self, name: &Name<'_>, value: &Spanned<DeValue<'_>>, reader: &mut TableReader<'_>) {
        let conditions = &mut self.conditions;
        let key = name.get_ref().as_ref();
        match key {
            "name" => self.name = reader.taken(name, value),
            "author_domain" => conditions.author_domain = entries(name, value, reader),
            "dkim_domain" => conditions.dkim_domain = entries(name, value, reader),
            "client" => conditions.client = entries::<IpNetwork>(name, value, reader),
            "client_name" => conditions.client_name = entries::<NamePattern>(name, value, reader),
            "list_id" => conditions.list_id = entries(name, value, reader),
            "arc_sealer" => conditions.arc_sealer = entries(name, value, reader),
            "recipient" => conditions.recipient = entries(name, value, reader),
            "result" => self.result = Some(entries(name, value, reader)),
            "action" => self.action = reader.taken(name, value),
            "override" => self.override_type = reader.taken(name, value),
            "reason" => self.reason = reader.taken(name, value),
            "owner" => self.owner = reader.taken(name, value),
            "expires" => self.expires = reader.taken(name, value),
            _ => {
                // Most likely a condition that is misspelt: one mistake, told once.
                self.has_unknown_key = true;
                return reader.unknown(name, value);
            }
        }
        let no_condition = [
            "name", "result", "action", "override", "reason", "owner", "expires",
        ];
        self.has_condition |= !no_condition.contains(&key);
    }

    /// The rule, where nothing that it must have is missing or wrong.
    fn finish(
        self,
        table: &DeTable<'_>,
        value: &Spanned<DeValue<'_>>,
        reader: &mut TableReader<'_>,
        lines: &LineIndex<'_>,
    ) -> Option<OperatorRule> {
        let span = value.span();
        for (key, remedy) in REQUIRED {
            if !table.contains_key(key) {
                reader.mistake(&span, join(RULE, key), MistakeKind::Missing(remedy));
            }
        }
        if !self.has_condition && !self.has_unknown_key {
            let why =
                "it has no condition, so it would hold for every message; name one, such as author_domain";
            reader.mistake(&span, RULE.to_owned(), MistakeKind::Refused(why.to_owned()));
        }
        let result = self.result.unwrap_or_else(|| vec![ResultWord::Fail]);
        let action = self.action?;
        if action == RuleAction::Reject && result.contains(&ResultWord::TempError) {
            // Decision D6: a failure of ours is never a reject.
            let why = "a message cannot be refused because DNS did not answer; leave out \"temperror\", or \
                       write action = \"quarantine\"";
            let result = table.get("result").map_or(span, Spanned::span);
            reader.mistake(
                &result,
                join(RULE, "result"),
                MistakeKind::Refused(why.to_owned()),
            );
        }
        Some(OperatorRule {
            name: self.name?,
            conditions: self.conditions,
            result,
            action,
            override_type: self.override_type.unwrap_or(OverrideKind::LocalPolicy),
            reason: self.reason?,
            owner: self.owner?,
            expires: self.expires,
            place: lines.place(value.span().start),
        })
    }
}

/// The entries of a list that must have some; none where there is a mistake.
fn entries<T: TextValue>(
    name: &Name<'_>,
    value: &Spanned<DeValue<'_>>,
    reader: &mut TableReader<'_>,
) -> Vec<T> {
    let entries: Option<Entries<T>> = reader.taken(name, value);
    entries.map(|entries| entries.0).unwrap_or_default()
}

/// A list of 1 to [`MAX_ENTRIES`].
struct Entries<T>(Vec<T>);

impl<T: TextValue> SettingValue for Entries<T> {
    fn kind() -> String {
        Vec::<T>::kind()
    }

    fn allowed() -> String {
        Vec::<T>::allowed()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
        let found = value.get_ref().as_array().map_or(1, |items| items.len());
        let wrong = match found {
            0 => {
                MistakeKind::Refused("the list is empty; leave it out, or write what it is about".to_owned())
            }
            1..=MAX_ENTRIES => return Vec::read(value, faults).map(Self),
            _ => MistakeKind::TooMany {
                found,
                what: "entries",
                most: MAX_ENTRIES,
            },
        };
        faults.push((value.span(), wrong));
        None
    }

    fn print(&self) -> String {
        self.0.print()
    }
}
