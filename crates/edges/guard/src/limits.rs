//! How much of a database server is taken.

/// Octets of the answer to one statement, and of one message of it. The largest of ours is the body of a report.
pub const MAX_ANSWER_OCTETS: u64 = 64 * 1024 * 1024;
/// Octets of memory that the rows of one answer may take, as far as can be said before they are read: 128 MiB, beside the
/// octets themselves.
pub const MAX_ANSWER_COST: u64 = 128 * 1024 * 1024;
/// Columns of a row: no statement asks for fifty.
pub const MAX_COLUMNS: u64 = 250;
/// Octets of notices, and of settings that a server names, over the whole of a connection: PostgreSQL takes some 500.
pub const MAX_SETTINGS: u64 = 64 * 1024;

/// Octets in which PostgreSQL names the columns of a row: the library keeps them for each statement that it has prepared.
pub const MAX_NAMES: u64 = 64 * 1024;
/// Octets in which MariaDB answers that a statement is prepared: 30 for each value of the 65,535 that one may have, and
/// 100 for each column. The library keeps the columns.
pub const MAX_PREPARED: u64 = 4 * 1024 * 1024;

/// Rounds of hashing that a server may ask for (SCRAM): its default is 4,096. A million take a second.
pub const MAX_ITERATIONS: u64 = 1_000_000;
