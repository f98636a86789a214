//! The tables that `opendmarc-import` fills, of 1.2, 1.4 and later (compatibility checklist 2.9).
//!
//! Messages are read by their number, some at a time, each time with their signatures: nothing is locked,
//! and memory stays flat whatever the size. Which columns there are is asked first.

use std::collections::{HashMap, HashSet};

use landmarc_migrate::opendmarc::message::{RecordedSignature, Seal};
use landmarc_migrate::opendmarc::tables::{MessageRow, RequestRow};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{MysqlAddress, MysqlError, MysqlSession};

/// Messages that are read at a time.
pub const ROWS_AT_A_TIME: u16 = 1_000;
/// Addresses that were set by hand which are read.
const MAX_LOCKED: u32 = 100_000;

/// What tells the versions of the schema apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Selectors of signatures: from 1.4 on.
    pub has_selectors: bool,
    /// Chains of ARC seals: from 1.4 on.
    pub has_arc: bool,
    /// Whether SPF was about MAIL FROM or HELO: after 1.4.
    pub has_spf_scope: bool,
    /// The options of failure reports: after 1.4.
    pub has_failure_options: bool,
}

/// The database of an OpenDMARC.
#[derive(Debug)]
pub struct OpenDmarc {
    asked: MysqlSession,
    schema: Schema,
    /// From when on, in Unix seconds.
    since_s: i64,
    /// The message that was read last.
    last: u64,
}

impl OpenDmarc {
    /// Connects, and looks what there is. Messages are those from this time on.
    ///
    /// # Errors
    /// [`MysqlError`], when it cannot be reached, does not let us in, or has no such tables.
    pub async fn open(address: &MysqlAddress, since_s: u64) -> Result<Self, MysqlError> {
        let mut asked = MysqlSession::connect(address).await?;
        let schema = schema(&mut asked).await?;
        Ok(Self {
            asked,
            schema,
            since_s: i64::try_from(since_s).unwrap_or(i64::MAX),
            last: 0,
        })
    }

    /// What there is.
    #[must_use]
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// The next messages in the order of their numbers, at most [`ROWS_AT_A_TIME`]; none at the end.
    ///
    /// # Errors
    /// [`MysqlError`]
    pub async fn next(&mut self) -> Result<Vec<MessageRow>, MysqlError> {
        let question = sqlx::query(AssertSqlSafe(self.schema.messages()))
            .bind(self.last)
            .bind(self.since_s)
            .bind(ROWS_AT_A_TIME);
        let found = self.asked.rows(question).await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in &found {
            rows.push(message(row, self.schema).map_err(|error| self.asked.broken(error))?);
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(rows);
        };
        let range = (first.id, last.id);
        self.last = last.id;
        let mut signatures = self.signatures(range).await?;
        let is_overridden = |row: &MessageRow| row.arc_policy == Some(0);
        let mut seals = match self.schema.has_arc && rows.iter().any(is_overridden) {
            true => self.seals(range).await?,
            false => HashMap::new(),
        };
        for row in &mut rows {
            row.signatures = signatures.remove(&row.id).unwrap_or_default();
            row.seals = seals.remove(&row.id).unwrap_or_default();
        }
        Ok(rows)
    }

    /// Where the reports about a domain go because `opendmarc-params` was told so: the domain, and the
    /// addresses.
    ///
    /// # Errors
    /// [`MysqlError`]
    pub async fn locked(&mut self) -> Result<Vec<(String, String)>, MysqlError> {
        let question = sqlx::query(LOCKED).bind(MAX_LOCKED);
        let found = self.asked.rows(question).await?;
        let read = |row: &MySqlRow| Ok((row.try_get(0)?, row.try_get(1)?));
        let found: Result<_, _> = found.iter().map(read).collect();
        found.map_err(|error| self.asked.broken(error))
    }

    async fn signatures(
        &mut self,
        range: (u64, u64),
    ) -> Result<HashMap<u64, Vec<RecordedSignature>>, MysqlError> {
        let sql = self.schema.signatures();
        let question = sqlx::query(AssertSqlSafe(sql)).bind(range.0).bind(range.1);
        let found = self.asked.rows(question).await?;
        self.asked.by_message(&found, usize::MAX, |row| {
            let selector: String = row.try_get(2)?;
            Ok(RecordedSignature {
                domain: row.try_get(1)?,
                selector: Some(selector).filter(|selector| !selector.is_empty()),
                result: row.try_get(3)?,
            })
        })
    }

    async fn seals(&mut self, range: (u64, u64)) -> Result<HashMap<u64, Vec<Seal>>, MysqlError> {
        let question = sqlx::query(SEALS).bind(range.0).bind(range.1);
        let found = self.asked.rows(question).await?;
        self.asked.by_message(&found, usize::MAX, |row| {
            Ok(Seal {
                domain: row.try_get(1)?,
                selector: row.try_get(2)?,
                instance: row.try_get(3)?,
                client: row.try_get(4)?,
            })
        })
    }
}

/// What is asked for, in the order in which [`message`] reads it. Numbers are cast, so that they are of one
/// width whatever the version made of the column; a name that is gone is empty.
impl Schema {
    fn messages(self) -> String {
        let scope = column(self.has_spf_scope, "m.spf_scope");
        let arc = column(self.has_arc, "m.arc_policy");
        let options = column(self.has_failure_options, "q.fo");
        format!(
            "SELECT CAST(m.id AS UNSIGNED), m.jobid, COALESCE(r.name, ''), CAST(UNIX_TIMESTAMP(m.date) AS SIGNED), \
             COALESCE(i.addr, ''), COALESCE(f.name, ''), COALESCE(e.name, ''), COALESCE(p.name, ''), \
             CAST(m.policy AS SIGNED), CAST(m.disp AS SIGNED), CAST(m.spf AS SIGNED), {scope}, \
             CAST(m.align_dkim AS SIGNED), CAST(m.align_spf AS SIGNED), {arc}, q.repuri, \
             CAST(q.adkim AS SIGNED), CAST(q.aspf AS SIGNED), CAST(q.policy AS SIGNED), \
             CAST(q.spolicy AS SIGNED), CAST(q.pct AS SIGNED), {options} \
             FROM messages m LEFT JOIN reporters r ON r.id = m.reporter LEFT JOIN ipaddr i ON i.id = m.ip \
             LEFT JOIN domains f ON f.id = m.from_domain LEFT JOIN domains e ON e.id = m.env_domain \
             LEFT JOIN domains p ON p.id = m.policy_domain LEFT JOIN requests q ON q.domain = m.from_domain \
             WHERE m.id > ? AND m.date >= FROM_UNIXTIME(?) ORDER BY m.id LIMIT ?"
        )
    }

    fn signatures(self) -> String {
        let (name, join) = match self.has_selectors {
            true => (
                "COALESCE(s.name, '')",
                "LEFT JOIN selectors s ON s.id = g.selector",
            ),
            false => ("''", ""),
        };
        format!(
            "SELECT CAST(g.message AS UNSIGNED), COALESCE(d.name, ''), {name}, CAST(g.pass AS SIGNED) \
             FROM signatures g LEFT JOIN domains d ON d.id = g.domain {join} \
             WHERE g.message BETWEEN ? AND ? ORDER BY g.id"
        )
    }
}

fn column(is_there: bool, name: &str) -> String {
    match is_there {
        true => format!("CAST({name} AS SIGNED)"),
        false => "CAST(NULL AS SIGNED)".to_owned(),
    }
}

const SEALS: &str = "SELECT CAST(a.message AS UNSIGNED), COALESCE(d.name, ''), COALESCE(s.name, ''), \
     CAST(a.instance AS UNSIGNED), COALESCE(r.arc_client_addr, '') \
     FROM arcseals a LEFT JOIN domains d ON d.id = a.domain LEFT JOIN selectors s ON s.id = a.selector \
     LEFT JOIN arcauthresults r ON r.message = a.message AND r.instance = a.instance \
     WHERE a.message BETWEEN ? AND ? ORDER BY a.id";

const LOCKED: &str = "SELECT d.name, q.repuri FROM requests q JOIN domains d ON d.id = q.domain \
     WHERE q.locked = 1 ORDER BY d.name LIMIT ?";

const COLUMNS: &str = "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = DATABASE()";

/// What every version has that is read.
const REQUIRED: [(&str, &str); 6] = [
    (
        "messages",
        "id date jobid reporter policy disp ip env_domain from_domain policy_domain spf align_dkim align_spf",
    ),
    ("signatures", "id message domain pass"),
    ("requests", "domain repuri adkim aspf policy spolicy pct locked"),
    ("domains", "id name"),
    ("reporters", "id name"),
    ("ipaddr", "id addr"),
];

/// Looks which tables and columns there are.
async fn schema(asked: &mut MysqlSession) -> Result<Schema, MysqlError> {
    let found = asked.rows(sqlx::query(COLUMNS)).await?;
    let mut columns = HashSet::new();
    for row in &found {
        let names = row
            .try_get(0)
            .and_then(|table: String| Ok((table, row.try_get(1)?)));
        let (table, column): (String, String) = names.map_err(|error| asked.broken(error))?;
        columns.insert((table.to_ascii_lowercase(), column.to_ascii_lowercase()));
    }
    told_apart(&columns).map_err(|missing| MysqlError::NotOpenDmarc {
        address: asked.address.to_string(),
        missing,
    })
}

/// Which version these columns are of, or what every version has and they have not.
fn told_apart(columns: &HashSet<(String, String)>) -> Result<Schema, String> {
    let has = |table: &str, column: &str| columns.contains(&(table.to_owned(), column.to_owned()));
    for (table, needed) in REQUIRED {
        if !columns.iter().any(|(known, _)| known == table) {
            return Err(format!("table {table}"));
        }
        if let Some(missing) = needed.split(' ').find(|column| !has(table, column)) {
            return Err(format!("column {table}.{missing}"));
        }
    }
    Ok(Schema {
        has_selectors: has("selectors", "name") && has("signatures", "selector"),
        has_arc: has("messages", "arc_policy")
            && has("selectors", "name")
            && has("arcseals", "instance")
            && has("arcauthresults", "arc_client_addr"),
        has_spf_scope: has("messages", "spf_scope"),
        has_failure_options: has("requests", "fo"),
    })
}

fn message(row: &MySqlRow, schema: Schema) -> Result<MessageRow, sqlx::Error> {
    let repuri: Option<String> = row.try_get(15)?;
    let number = |index: usize| {
        row.try_get::<Option<i64>, _>(index)
            .map(Option::unwrap_or_default)
    };
    let request = match repuri {
        Some(repuri) => Some(RequestRow {
            repuri,
            adkim: number(16)?,
            aspf: number(17)?,
            policy: number(18)?,
            spolicy: number(19)?,
            pct: number(20)?,
            fo: number(21)?,
        }),
        None => None,
    };
    Ok(MessageRow {
        id: row.try_get(0)?,
        job: row.try_get(1)?,
        reporter: row.try_get(2)?,
        received_s: number(3)?,
        client: row.try_get(4)?,
        author_domain: row.try_get(5)?,
        mail_from: row.try_get(6)?,
        policy_domain: row.try_get(7)?,
        policy: number(8)?,
        action: number(9)?,
        spf: number(10)?,
        spf_scope: row.try_get(11)?,
        align_dkim: number(12)?,
        align_spf: number(13)?,
        arc_policy: row.try_get::<Option<i64>, _>(14)?.filter(|_| schema.has_arc),
        request,
        signatures: Vec::new(),
        seals: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(of: &[(&str, &str)]) -> HashSet<(String, String)> {
        let all = of.iter().flat_map(|(table, names)| {
            names
                .split(' ')
                .map(|name| ((*table).to_owned(), name.to_owned()))
        });
        all.collect()
    }

    /// TB1: six tables of 1.2, nine of 1.4, and what came later.
    #[test]
    fn the_versions_of_the_schema_are_told_apart_by_their_columns() {
        let mut known = columns(&REQUIRED);
        assert_eq!(told_apart(&known), Ok(Schema::default()));
        known.extend(columns(&[
            ("selectors", "name"),
            ("signatures", "selector"),
            ("messages", "arc_policy"),
            ("arcseals", "instance"),
            ("arcauthresults", "arc_client_addr"),
        ]));
        let of_1_4 = Schema {
            has_selectors: true,
            has_arc: true,
            ..Schema::default()
        };
        assert_eq!(told_apart(&known), Ok(of_1_4));
        known.extend(columns(&[("messages", "spf_scope"), ("requests", "fo")]));
        let later = Schema {
            has_spf_scope: true,
            has_failure_options: true,
            ..of_1_4
        };
        assert_eq!(told_apart(&known), Ok(later));
        let sql = later.messages();
        assert!(sql.contains("m.spf_scope") && sql.contains("q.fo"), "{sql}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let without = |table: &str, column: &str| {
            let mut known = columns(&REQUIRED);
            known.retain(|(known, name)| known != table || (!column.is_empty() && name != column));
            told_apart(&known).unwrap_err()
        };
        assert_eq!(without("messages", ""), "table messages");
        assert_eq!(without("requests", "locked"), "column requests.locked");
    }
}
