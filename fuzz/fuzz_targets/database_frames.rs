//! What a database server sends: no panic, and the same decision however the octets are cut.

#![no_main]

use landmarc_guard::{Protocol, examine};
use libfuzzer_sys::fuzz_target;

/// A greeting of MariaDB 10.11 with `mysql_native_password`, so that what is behind it is reached.
const GREETING: &[u8] = b"\x0a10.11.6\0\x01\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0";

fuzz_target!(|octets: &[u8]| {
    let Some((&choice, octets)) = octets.split_first() else {
        return;
    };
    let (begin, rest) = octets.split_at(usize::from(choice >> 2).min(octets.len()));
    let secure = choice & 2 == 0;
    if choice & 1 == 0 {
        let whole = examine(Protocol::PostgreSql, secure, &[octets]);
        assert_eq!(examine(Protocol::PostgreSql, secure, &[begin, rest]), whole);
    } else {
        let whole = examine(Protocol::MariaDb, secure, &[GREETING, octets]);
        assert_eq!(
            examine(Protocol::MariaDb, secure, &[GREETING, begin, rest]),
            whole
        );
        let _ = examine(Protocol::MariaDb, secure, &[octets]);
    }
});
