//! Which keys hold records.

use std::collections::{BTreeMap, BTreeSet};

use landmarc_migrate::rspamd::{MAX_KEY_OCTETS, Names, RecordKey, RspamdDay, Shape, Unread, UnreadPart};
use redis::{Pipeline, cmd};

use super::RedisError;
use super::session::{Connection, RedisSession};

/// The most keys of one reading. rspamd makes one for each domain and day.
pub const MAX_KEYS: usize = 1_000_000;
/// Octets of the names of one reading: a key is named by domains that senders choose.
pub const MAX_NAMES_OCTETS: usize = 64 * 1024 * 1024;
/// The most keys that are told as unreadable: what is wrong with one is wrong with all.
const MAX_UNREAD: usize = 100;
/// How many keys a page of SCAN or SSCAN is to have, and how many are asked about at once.
const PAGE: usize = 1_000;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'w> {
    /// What keys are called here.
    pub names: &'w Names,
    /// Of which days hashes and sorted sets are wanted.
    pub days: Days,
    /// Whether the lists of the first releases are wanted: all keys of the server are looked through for them.
    pub lists: bool,
}

/// Days of hashes and sorted sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Days {
    /// All that rspamd still keeps at this day, in any time zone.
    Around(RspamdDay),
    /// One.
    One(RspamdDay),
    /// All that are there: all keys of the server are looked through for them.
    All,
}

/// A key and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// What its name says.
    pub key: RecordKey,
    /// Each server that has it, by its number, with the name it has there: `rspamadm` adds to it for a while.
    pub(super) parts: Vec<(usize, Vec<u8>)>,
}

/// The keys of one reading, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Those that hold records.
    pub found: Vec<FoundKey>,
    /// Those whose name nobody understands, as many as are told.
    pub unread: Vec<Unread>,
    /// How many those are.
    pub unread_count: u64,
    /// Whether there are more than [`MAX_KEYS`], or than [`MAX_NAMES_OCTETS`] of names, which are left out.
    pub are_too_many: bool,
}

impl RedisSession {
    /// Looks for the keys of all servers.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn keys(&mut self, wanted: &Wanted<'_>) -> Result<Keys, RedisError> {
        let mut gathered = Gathered::default();
        for (number, connection) in self.connections.iter_mut().enumerate() {
            let names = connection.names(wanted).await?;
            gathered.are_too_many |= names.is_full();
            let names: Vec<_> = names.all.into_iter().collect();
            for page in names.chunks(PAGE) {
                for (name, shape) in page.iter().zip(connection.shapes(page).await?) {
                    gathered.add(number, name, shape, wanted);
                }
            }
        }
        Ok(gathered.keys())
    }
}

impl Connection {
    /// The names of keys that may hold records. A name past [`MAX_KEY_OCTETS`] is kept: it is told.
    async fn names(&mut self, wanted: &Wanted<'_>) -> Result<Found, RedisError> {
        let mut names = Found::default();
        let mut indexes: BTreeSet<Vec<u8>> = match wanted.days {
            Days::Around(day) => wanted.names.indexes_around(day).map(String::into_bytes).collect(),
            Days::One(day) => wanted.names.indexes_of(day).map(String::into_bytes).into(),
            Days::All => BTreeSet::new(),
        };
        if wanted.days == Days::All {
            let mut found = Found::default();
            self.scan(&wanted.names.index_prefix, &mut found).await?;
            indexes.extend(found.all.into_iter().filter(|name| wanted.names.is_index(name)));
        }
        for index in &indexes {
            self.members(index, &mut names).await?;
        }
        if wanted.lists {
            self.scan(&wanted.names.list_prefix, &mut names).await?;
        }
        names.all.retain(|name| !wanted.names.is_index(name));
        Ok(names)
    }

    /// All keys that begin with this.
    async fn scan(&mut self, prefix: &str, names: &mut Found) -> Result<(), RedisError> {
        let pattern = [&escaped(prefix)[..], b"*"].concat();
        let mut cursor = 0_u64;
        loop {
            let mut command = cmd("SCAN");
            command
                .arg(cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(PAGE);
            let (next, page): (u64, Vec<Vec<u8>>) = self.ask(&command).await?;
            names.add(page);
            if next == 0 || names.is_full() {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// The names that an index has; none where there is no such index, or it is no set.
    async fn members(&mut self, index: &[u8], names: &mut Found) -> Result<(), RedisError> {
        let kind: String = self.ask(cmd("TYPE").arg(index)).await?;
        let mut cursor = 0_u64;
        while kind == "set" && !names.is_full() {
            let mut command = cmd("SSCAN");
            command.arg(index).arg(cursor).arg("COUNT").arg(PAGE);
            let (next, page): (u64, Vec<Vec<u8>>) = self.ask(&command).await?;
            names.add(page);
            if next == 0 {
                break;
            }
            cursor = next;
        }
        Ok(())
    }

    /// What these keys are; none for what holds no records, and for what is gone by now.
    async fn shapes(&mut self, names: &[Vec<u8>]) -> Result<Vec<Option<Shape>>, RedisError> {
        let mut commands = Pipeline::with_capacity(names.len());
        for name in names {
            commands.cmd("TYPE").arg(name);
        }
        let kinds: Vec<String> = self.ask_all(&commands).await?;
        Ok(kinds.iter().map(|kind| Shape::of_type(kind)).collect())
    }
}

/// A text as SCAN's pattern takes it, which has wildcards of its own.
fn escaped(text: &str) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(text.len());
    for octet in text.bytes() {
        if matches!(octet, b'*' | b'?' | b'[' | b']' | b'^' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(octet);
    }
    pattern
}

/// Names of one server, up to a limit.
#[derive(Default)]
struct Found {
    all: BTreeSet<Vec<u8>>,
    octets: usize,
}

impl Found {
    fn add(&mut self, page: Vec<Vec<u8>>) {
        for name in page {
            let length = name.len();
            if !self.is_full() && self.all.insert(name) {
                self.octets = self.octets.saturating_add(length);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.all.len() >= MAX_KEYS || self.octets >= MAX_NAMES_OCTETS
    }
}

#[derive(Default)]
struct Gathered {
    found: BTreeMap<String, FoundKey>,
    unread: Vec<Unread>,
    unread_count: u64,
    are_too_many: bool,
}

impl Gathered {
    fn add(&mut self, server: usize, name: &[u8], shape: Option<Shape>, wanted: &Wanted<'_>) {
        // The prefix of the lists is that of sorted sets and hashes too, which only an index names.
        let Some(shape) = shape.filter(|shape| wanted.lists || *shape != Shape::Lines) else {
            return;
        };
        let of_other_days = |key: &RecordKey| match (wanted.days, key.day) {
            (Days::One(day), Some(of_key)) => day != of_key,
            _ => false,
        };
        match RecordKey::read(name, shape, wanted.names) {
            Ok(key) if of_other_days(&key) => {}
            Ok(key) => {
                let found = self.found.entry(key.name.clone()).or_insert_with(|| FoundKey {
                    key,
                    parts: Vec::new(),
                });
                found.parts.push((server, name.to_owned()));
            }
            Err(error) => {
                self.unread_count += 1;
                if self.unread.len() < MAX_UNREAD {
                    let shown = name.get(..MAX_KEY_OCTETS).unwrap_or(name);
                    self.unread.push(Unread {
                        key: shown.to_owned(),
                        what: UnreadPart::Key(error),
                    });
                }
            }
        }
    }

    fn keys(mut self) -> Keys {
        while self.found.len() > MAX_KEYS {
            self.found.pop_last();
            self.are_too_many = true;
        }
        Keys {
            found: self.found.into_values().collect(),
            unread: self.unread,
            unread_count: self.unread_count,
            are_too_many: self.are_too_many,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_up_to_their_limit() {
        let name = |number: usize| [&number.to_be_bytes()[..], &vec![b'x'; (1 << 20) - 8]].concat();
        let mut found = Found::default();
        found.add((0..MAX_NAMES_OCTETS >> 20).map(name).collect());
        assert!(found.is_full());
        found.add(vec![b"one more".to_vec()]);
        assert_eq!(found.all.len(), MAX_NAMES_OCTETS >> 20);
    }
}
