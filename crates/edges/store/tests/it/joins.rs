//! No query joins across policy domains, so that tables can be spread by them over several servers (decision
//! D16): that holds for every statement that any suite makes a server do, and for the keys of all tables.

use crate::bed::{Bed, Case};

/// Small, and on each server of several: they are about no policy domain.
const REFERENCE: &[&str] = &[
    "migration",
    "host",
    "batch",
    "tally_day",
    "rule_hit",
    "expiry",
    "reported_day",
    "suppression",
    "secret",
    "lease",
    "writer",
    "outbox_lock",
];

const CASES: &[Case] = &[(
    "keys_begin_with_the_policy_domain",
    keys_begin_with_the_policy_domain,
)];

#[test]
fn on_postgresql() {
    crate::bed::on_postgresql(CASES);
}

#[test]
fn on_mariadb() {
    crate::bed::on_mariadb(CASES);
}

fn keys_begin_with_the_policy_domain(bed: &Bed) {
    crate::ship::record(bed, [crate::samples::message(1)]);
    // The one schema that is not the server's own.
    let ours = "NOT IN ('pg_catalog', 'information_schema', 'mysql', 'performance_schema', 'sys')";
    let tables = bed.sql(&format!(
        "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema {ours} \
         AND table_schema IN ('public', (SELECT max(table_schema) FROM information_schema.tables \
         WHERE table_name = 'reporting_row'))"
    ));
    let of_kind = |kind: &str, more: &str| {
        bed.sql(&format!(
            "SELECT k.table_name, k.column_name FROM information_schema.table_constraints AS t \
             JOIN information_schema.key_column_usage AS k ON k.constraint_name = t.constraint_name \
             AND k.table_name = t.table_name AND k.table_schema = t.table_schema \
             WHERE t.constraint_type = '{kind}' AND t.table_schema {ours} {more}"
        ))
    };
    let first = of_kind("PRIMARY KEY", "AND k.ordinal_position = 1");
    let unique = of_kind("UNIQUE", "");
    let has = |columns: &str, table: &str| {
        columns
            .lines()
            .any(|line| line == format!("{table}\tpolicy_domain"))
    };
    let mut checked = 0;
    for table in tables.lines().filter(|table| !REFERENCE.contains(table)) {
        assert!(has(&first, table), "{table} is no reference table: {first}");
        let is_unique = unique.lines().any(|line| line.starts_with(&format!("{table}\t")));
        assert!(
            !is_unique || has(&unique, table),
            "{table} is unique without it: {unique}"
        );
        checked += 1;
    }
    assert!(checked >= 13, "{tables}");
    for table in REFERENCE {
        assert!(tables.lines().any(|line| line == *table), "there is no {table}");
    }
}

/// Looks at statements, one a line.
pub(crate) fn check(statements: &str) {
    assert!(statements.lines().count() > 10, "nothing was said: {statements}");
    for statement in statements.lines() {
        assert!(
            is_within_one_domain(statement),
            "joins across policy domains: {statement}"
        );
    }
}

fn is_within_one_domain(statement: &str) -> bool {
    // What the server knows about itself is spread over nothing.
    if ["pg_", "information_schema."]
        .iter()
        .any(|system| statement.contains(system))
    {
        return true;
    }
    let words: Vec<&str> = statement.split_whitespace().collect();
    let is = |word: &&&str, other: &str| {
        word.trim_matches(|c| c == '(' || c == ')')
            .eq_ignore_ascii_case(other)
    };
    let joins = words
        .iter()
        .filter(|word| is(word, "JOIN") || is(word, "STRAIGHT_JOIN"))
        .count();
    let column = |word: &str| word.trim_end_matches([')', ',', ';']).ends_with(".policy_domain");
    let agreed =
        |three: &[&str]| matches!(three, [one, "=", other] if column(one) && column(other) && one != other);
    let agreements = words.windows(3).filter(|three| agreed(three)).count();
    // FROM one, other: a join without its name. Arguments of a function are none.
    let listed = words.windows(4).any(|four| match four {
        [from, one, ..] if is(&from, "FROM") && one.ends_with(',') => !one.contains('('),
        [from, _, other, ..] if is(&from, "FROM") && *other == "," => true,
        [from, _, alias, name] => is(&from, "FROM") && is(&alias, "AS") && name.ends_with(','),
        _ => false,
    });
    agreements >= joins && !listed
}

#[test]
fn a_join_across_policy_domains_is_found() {
    for good in [
        "SELECT 1 FROM a WHERE b IN (SELECT b FROM a LIMIT $1)",
        "SELECT 1 FROM a AS x JOIN b AS y ON x.policy_domain = y.policy_domain AND x.d = y.d",
        "SELECT 1 FROM (a AS x JOIN b AS y ON x.d = y.d AND x.policy_domain = y.policy_domain)",
        "INSERT INTO a (b) SELECT * FROM UNNEST($1::text[], $2::text[]) ON CONFLICT (b) DO NOTHING",
        "SELECT relname FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid",
    ] {
        assert!(is_within_one_domain(good), "{good}");
    }
    for bad in [
        "SELECT 1 FROM a AS x JOIN b AS y ON x.d = y.d",
        "SELECT 1 FROM a AS x STRAIGHT_JOIN b AS y ON x.d = y.d",
        "SELECT 1 FROM a AS x JOIN b AS y ON x.policy_domain = x.policy_domain",
        "SELECT 1 FROM a AS x JOIN b AS y ON x.policy_domain = y.policy_domain JOIN c AS z ON z.d = y.d",
        "SELECT 1 FROM a, b WHERE a.d = b.d",
        "SELECT 1 FROM a , b WHERE a.d = b.d",
        "SELECT 1 FROM a AS x, b AS y WHERE x.d = y.d",
    ] {
        assert!(!is_within_one_domain(bad), "{bad}");
    }
}
