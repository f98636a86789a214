//! What the benches share.

use std::path::Path;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// 2026-06-01 00:00:00 UTC.
pub(crate) const MIDNIGHT: u64 = 1_780_272_000_000;

/// SplitMix64: numbers that look random and are the same in each run.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// CPU time of the whole process so far.
pub(crate) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("Linux has this clock");
    Duration::from(time).as_secs_f64()
}

/// Removes a store, if there is one.
pub(crate) fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        // It need not be there.
        let _ = std::fs::remove_file(name);
    }
}

/// Octets of the pages of each table with its indexes, largest first.
pub(crate) fn tables(path: &Path) -> Vec<(String, f64)> {
    let connection = rusqlite::Connection::open(path).expect("the store");
    let sql = "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat AS d JOIN sqlite_schema AS s ON s.name = d.name \
               WHERE d.aggregate = TRUE GROUP BY s.tbl_name ORDER BY 2 DESC";
    let mut statement = connection.prepare(sql).expect("dbstat is compiled in");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.and_then(Iterator::collect).expect("tables")
}
