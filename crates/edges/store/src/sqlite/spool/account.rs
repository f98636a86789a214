//! The one row that says who we are, which number comes next, and how much waits.

use rusqlite::{Connection, params};

use crate::model::{HostId, RecordLosses};

/// The row. Whoever has read it in a transaction that writes may change and save it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// Under which id entries are written now.
    pub(super) host: Option<HostId>,
    /// Of the file that this is the id of.
    inode: i64,
    /// Number of the next entry.
    pub(super) next: u64,
    /// Its place among all there ever were.
    pub(super) next_id: i64,
    /// Where folding goes on.
    pub(super) fold_from: i64,
    /// Octets that this round of folding has saved.
    pub(super) fold_saved: u64,
    pub(super) entries: u64,
    pub(super) octets: u64,
    pub(super) messages: u64,
    pub(super) lost: RecordLosses,
}

impl Account {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT host, inode, next, next_id, fold_from, fold_saved, entries, octets, messages, \
                   lost_traces, lost_observations, lost_tallies, lost_rule_hits FROM spool_host";
        connection.prepare_cached(sql)?.query_row([], |row| {
            Ok(Self {
                host: row.get::<_, Option<[u8; 16]>>(0)?.map(HostId::from),
                inode: row.get(1)?,
                next: row.get(2)?,
                next_id: row.get(3)?,
                fold_from: row.get(4)?,
                fold_saved: row.get(5)?,
                entries: row.get(6)?,
                octets: row.get(7)?,
                messages: row.get(8)?,
                lost: RecordLosses {
                    traces: row.get(9)?,
                    observations: row.get(10)?,
                    tallies: row.get(11)?,
                    rule_hits: row.get(12)?,
                },
            })
        })
    }

    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "UPDATE spool_host SET host = ?1, inode = ?2, next = ?3, next_id = ?4, fold_from = ?5, \
                   fold_saved = ?6, entries = ?7, octets = ?8, messages = ?9, lost_traces = ?10, \
                   lost_observations = ?11, lost_tallies = ?12, lost_rule_hits = ?13";
        connection.prepare_cached(sql)?.execute(params![
            self.host.map(HostId::octets),
            self.inode,
            self.next,
            self.next_id,
            self.fold_from,
            self.fold_saved,
            self.entries,
            self.octets,
            self.messages,
            self.lost.traces,
            self.lost.observations,
            self.lost.tallies,
            self.lost.rule_hits,
        ])?;
        Ok(())
    }

    /// Whether this is the file that the id was made for.
    pub(super) fn is_of_file(&self, inode: i64) -> bool {
        self.inode == inode
    }

    /// In a copy of the file we are another host. What waits may be handed over from either file, so that its
    /// counts stay where they are.
    pub(super) fn claim_file(&mut self, connection: &Connection, inode: i64) -> rusqlite::Result<()> {
        if self.is_of_file(inode) {
            return Ok(());
        }
        connection.execute("UPDATE spool SET handed_out = 1 WHERE handed_out = 0", [])?;
        self.inode = inode;
        self.host = None;
        Ok(())
    }

    /// Another id, whose numbers begin anew.
    pub(super) fn become_another(&mut self) -> rusqlite::Result<()> {
        let made = HostId::make().ok_or_else(no_random_octets)?;
        self.host = Some(made);
        self.next = 1;
        Ok(())
    }

    /// The id; a new one when there is none.
    pub(super) fn identity(&mut self) -> rusqlite::Result<HostId> {
        if self.host.is_none() {
            self.become_another()?;
        }
        self.host.ok_or_else(no_random_octets)
    }

    /// Counts out what is gone.
    pub(super) fn shrink(&mut self, octets: u64) {
        self.octets = self.octets.saturating_sub(octets);
    }
}

/// Forgets the id, and of which file it was: whoever opens this one is another host ([`Account::come_home`]).
pub(in crate::sqlite) fn forget_identity(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE spool_host SET host = NULL, inode = 0", [])?;
    Ok(())
}

fn no_random_octets() -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure("the system has no random octets for a host id".into())
}
