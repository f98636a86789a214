//! The least rights with which a host and a reader can do their work.

use std::fmt::Write as _;

use super::engine::ServerEngine;

/// Users of a database. Names are as they are: they are quoted here.
#[derive(Clone, Copy, Debug)]
pub struct Accounts<'a> {
    /// The database.
    pub database: &'a str,
    /// Who owns it, and makes and changes its tables (`landmarc store migrate`).
    pub owner: &'a str,
    /// Who records and sends reports: the service, on each host.
    pub service: &'a str,
    /// Who only looks: commands, other programs.
    pub reader: &'a str,
}

/// Who may do what with a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The service writes it, all read it.
    Shared,
    /// The service alone reads and writes it.
    Private,
    /// The owner alone writes it, all read it.
    Fixed,
}

/// All tables, in alphabetical order.
const TABLES: [(&str, Use); 25] = [
    ("batch", Use::Shared),
    ("body", Use::Shared),
    ("chunk", Use::Shared),
    ("delivery", Use::Shared),
    ("expiry", Use::Shared),
    ("host", Use::Shared),
    ("imported", Use::Shared),
    ("lease", Use::Shared),
    ("migration", Use::Fixed),
    ("observation", Use::Shared),
    ("outbox_lock", Use::Shared),
    ("outcome", Use::Shared),
    ("published", Use::Shared),
    ("redirection", Use::Shared),
    ("report", Use::Shared),
    ("reported_day", Use::Shared),
    ("reporting_row", Use::Shared),
    ("rule_hit", Use::Shared),
    // Of what is derived from secrets others must not know how.
    ("secret", Use::Private),
    ("skipped", Use::Shared),
    ("suppression", Use::Shared),
    ("tally", Use::Shared),
    ("tally_day", Use::Shared),
    ("trace", Use::Shared),
    ("writer", Use::Shared),
];

/// Functions of PostgreSQL that make and drop tables in the owner's name.
const FUNCTIONS: [&str; 2] = [
    "landmarc_add_day(TEXT, INTEGER)",
    "landmarc_drop_day(TEXT, INTEGER)",
];

/// What the owner of a database says to its server after `landmarc store migrate`, so that the service and readers can do their work and
/// nothing else. It may be said again, and is to be after each migration. The users are there already.
#[must_use]
pub fn grants(engine: ServerEngine, accounts: &Accounts<'_>) -> String {
    match engine {
        ServerEngine::PostgreSql => for_postgresql(quoted_names(accounts, '"')),
        ServerEngine::MariaDb => for_mariadb(quoted_names(accounts, '`')),
    }
}

fn for_postgresql([database, owner, service, reader]: [String; 4]) -> String {
    let mut text = format!(
        "-- To be run as {owner}, connected to the database {database}.\n\
         REVOKE ALL ON DATABASE {database} FROM PUBLIC;\n\
         GRANT CONNECT ON DATABASE {database} TO {service}, {reader};\n\
         GRANT USAGE ON SCHEMA public TO {service}, {reader};\n"
    );
    for (table, rights) in TABLES {
        text += &match rights {
            Use::Shared => format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {service};\nGRANT SELECT ON {table} TO {reader};\n"
            ),
            Use::Private => format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {service};\n"),
            Use::Fixed => format!("GRANT SELECT ON {table} TO {service}, {reader};\n"),
        };
    }
    for function in FUNCTIONS {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "GRANT EXECUTE ON FUNCTION {function} TO {service};");
    }
    text
}

fn for_mariadb([database, owner, service, reader]: [String; 4]) -> String {
    let mut text = format!(
        "-- To be run as {owner}, who has all rights on {database} with GRANT OPTION.\n\
         -- '%' is every host: name the hosts instead where they are known.\n"
    );
    let mut grant = |rights: &str, table: &str, user: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "GRANT {rights} ON {database}.{table} TO {user}@'%';");
    };
    for (table, rights) in TABLES {
        match rights {
            Use::Shared => {
                grant("SELECT, INSERT, UPDATE, DELETE", table, &service);
                grant("SELECT", table, &reader);
            }
            Use::Private => grant("SELECT, INSERT, UPDATE, DELETE", table, &service),
            Use::Fixed => {
                grant("SELECT", table, &service);
                grant("SELECT", table, &reader);
            }
        }
    }
    text
}

fn quoted_names(accounts: &Accounts<'_>, quote: char) -> [String; 4] {
    let Accounts {
        database,
        owner,
        service,
        reader,
    } = accounts;
    [database, owner, service, reader].map(|name| quoted(name, quote))
}

/// A name between quotes; one in it is doubled.
fn quoted(name: &str, quote: char) -> String {
    let doubled = String::from_iter([quote, quote]);
    // A line cannot end a comment in which a name stands, and NUL is in no name.
    let name = name.replace(['\n', '\r', '\0'], " ").replace(quote, &doubled);
    format!("{quote}{name}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNTS: Accounts<'_> = Accounts {
        database: "mail\"`; DROP",
        owner: "owner\nDROP TABLE x;",
        service: "landmarc",
        reader: "looker",
    };

    #[test]
    fn names_are_quoted_whatever_is_in_them() {
        let text = grants(ServerEngine::PostgreSql, &ACCOUNTS);
        assert!(
            text.contains("GRANT CONNECT ON DATABASE \"mail\"\"`; DROP\" TO \"landmarc\", \"looker\";\n")
        );
        let text = grants(ServerEngine::MariaDb, &ACCOUNTS);
        assert!(
            text.contains("GRANT SELECT ON `mail\"``; DROP`.tally TO `looker`@'%';\n"),
            "{text}"
        );
        assert!(
            text.lines()
                .all(|line| line.starts_with("-- ") || line.starts_with("GRANT ")),
            "{text}"
        );
    }

    #[test]
    fn nobody_is_given_more_than_he_needs() {
        for engine in [ServerEngine::PostgreSql, ServerEngine::MariaDb] {
            let text = grants(engine, &ACCOUNTS);
            let for_reader: Vec<_> = text.lines().filter(|line| line.contains("looker")).collect();
            assert!(!text.contains("WITH GRANT OPTION;") && !text.contains("GRANT ALL"));
            assert!(
                for_reader
                    .iter()
                    .all(|line| !line.contains("secret") && !line.contains("INSERT"))
            );
            let migration = text.lines().find(|line| line.contains("migration")).unwrap();
            assert!(migration.starts_with("GRANT SELECT ON"), "{migration}");
        }
    }
}
