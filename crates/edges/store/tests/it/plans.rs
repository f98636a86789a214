//! How a server finds what is asked of it: by an index, and in the partition of its day. What is looked at is
//! what the server did for the questions of a reader.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use landmarc_store::{DatabaseServer, Day, LogFilter, Reader};
use landmarc_testkit::databases::{MariaDb, PostgreSql, Setup};

/// Distinct rows, and policy domains that they are of.
const ROWS: u32 = 60_000;
const DOMAINS: u32 = 2_000;
/// Days that each row counts on.
const DAYS: u32 = 3;

/// What marks the questions among all.
const TALLY: &str = "policy_domain = $2 AND reporting_row > $3";
const CHUNK: &str = "AND policy_domain >= $2 AND policy_domain <= $3";
const BY_QUEUE_ID: &str = "WHERE o.queue_id = $1";
const BY_SHORT_ID: &str = "WHERE o.short_id = $1";
const BY_DOMAIN: &str = "WHERE o.policy_domain = $1 AND";
const BY_TIME: &str = "WHERE o.at_ms >= $1 ORDER BY";

/// The day whose tally is read: the one in the middle.
fn day() -> Day {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Day::at(u64::try_from(now.as_millis()).unwrap()).back(5)
}

/// Statements that make so many rows; `series` is where numbers `n` come from, `hex` how octets are written.
fn rows(series: &str, octets: impl Fn(&str) -> String, concat: impl Fn(&[&str]) -> String) -> String {
    let domain = concat(&["'d'", "n % 2000", "'.example'"]);
    let digest = octets("n");
    let of_domain = octets("n % 2000");
    let mut sql = format!(
        "INSERT INTO published (policy_domain, digest, first, last_day, p, sp, adkim, aspf, fo, testing, \
         discovery_method, rua, ruf, problems, psd) SELECT {domain}, {of_domain}, n, {last}, 'none', 'none', 'r', 'r', \
         '0', 0, 'treewalk', '[]', '[]', '[]', 0 FROM {series} WHERE n < {DOMAINS};\n\
         INSERT INTO reporting_row (policy_domain, digest, last_day, published, source_ip, aligned, disposition, \
         reasons, header_from, dkim, spf) SELECT {domain}, {digest}, {last}, {of_domain}, {ip}, 3, 'none', '[]', {domain}, \
         '[]', 'null' FROM {series};\n\
         INSERT INTO outcome (policy_domain, digest, last_day, is_found, author_domain, spf, dkim, arc, dmarc, disposition, \
         action, enforced_action, overrides, cause) SELECT {domain}, {of_domain}, {last}, 1, {author}, 'pass', 'pass', 'none', \
         'pass', 'none', 'accept', 'accept', '[]', '' FROM {series} WHERE n < {DOMAINS};\n",
        last = day().next().0,
        ip = octets("1").replace("md5('1')", "'01020304'"),
        author = concat(&["'example.d'", "n % 2000", "'.'"]),
    );
    for back in 0..DAYS {
        let day = day().next().back(back);
        let begins = day.begins_ms();
        writeln!(
            sql,
            "INSERT INTO tally (policy_domain, day, reporting_row, count) SELECT {domain}, {}, {digest}, 1 FROM {series};\n\
             INSERT INTO tally_day (day) VALUES ({0});\n\
             INSERT INTO observation (policy_domain, at_ms, origin, queue_id, short_id, outcome, questions, ms) \
             SELECT {domain}, {begins} + n * 1000, n, {}, {}, {of_domain}, 1, 1 FROM {series};",
            day.0,
            concat(&[&format!("'q{back}-'"), "n", "''"]),
            concat(&[&format!("'s{back}-'"), "n", "''"]),
        )
        .unwrap();
    }
    sql
}

/// Asks what has a plan to be looked at.
fn ask(server: &DatabaseServer) {
    let reader = Reader::open(server.clone()).unwrap();
    assert_eq!(
        reader.tally(day(), "d7.example").unwrap().len(),
        (ROWS / DOMAINS) as usize
    );
    let first = reader.reporting_day(day()).unwrap().next().unwrap().unwrap();
    assert_eq!(first.policy_domain, "d0.example");
    assert_eq!(reader.explain("q1-4711").unwrap().len(), 1);
    assert_eq!(reader.explain("s1-4711").unwrap().len(), 1);
    let since = LogFilter {
        since_ms: Some(day().begins_ms()),
        limit: 20,
        ..LogFilter::default()
    };
    let of_domain = LogFilter {
        domain: Some("d7.example".to_owned()),
        ..since.clone()
    };
    assert_eq!(reader.log(&of_domain).unwrap().len(), 20);
    assert_eq!(reader.log(&since).unwrap().len(), 20);
}

#[test]
fn postgresql_reads_the_partition_of_a_day_by_its_index() {
    let setup = Setup {
        settings: [
            "shared_preload_libraries=auto_explain",
            "auto_explain.log_min_duration=0",
            "autovacuum=off",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Setup::default()
    };
    let Some(mut host) = PostgreSql::with(setup) else {
        return;
    };
    host.create_database("fleet");
    let server = crate::bed::server(&host.url("fleet"));
    server.migrate().unwrap();
    for back in 0..DAYS {
        let day = day().next().back(back).0;
        let made = format!("SELECT landmarc_add_day('tally', {day}), landmarc_add_day('observation', {day})");
        assert_eq!(host.sql("fleet", &made), "t\tt\n");
    }
    let octets =
        |of: &str| format!("decode(md5(CAST({of} AS TEXT)), 'hex')").replace("CAST(1 AS TEXT)", "'1'");
    let concat = |parts: &[&str]| parts.join(" || ");
    host.sql("fleet", &rows("generate_series(0, 59999) AS n", octets, concat));
    host.sql("fleet", "ANALYZE");
    ask(&server);
    let log = host.log();
    let (today, other) = (day().0, day().next().0);
    let plan = |of: &str| {
        let told = log
            .split("Query Text: ")
            .filter(|told| told.split('\n').next().unwrap().contains(of));
        let told = told.last().unwrap_or_else(|| panic!("nobody asked {of}: {log}"));
        told.split_once('\n')
            .unwrap()
            .1
            .lines()
            .take_while(|line| line.starts_with('\t'))
            .collect::<String>()
    };
    for of in [TALLY, CHUNK] {
        let plan = plan(of);
        assert!(plan.contains(&format!("tally_{today}_pkey")), "{of}: {plan}");
        assert!(!plan.contains(&format!("tally_{other}")), "{of}: {plan}");
        assert!(!plan.contains("Seq Scan on tally"), "{of}: {plan}");
        assert!(plan.contains("reporting_row_pkey"), "{of}: {plan}");
    }
    for (of, index) in [(BY_QUEUE_ID, "queue_id_idx"), (BY_SHORT_ID, "short_id_idx")] {
        let plan = plan(of);
        assert!(plan.contains(&format!("observation_{today}_{index}")), "{plan}");
        assert!(!plan.contains("Seq Scan on observation_2"), "{plan}");
        assert!(plan.contains("outcome_pkey"), "{plan}");
    }
    let by_domain = plan(BY_DOMAIN);
    assert!(
        by_domain.contains(&format!("observation_{today}_pkey")),
        "{by_domain}"
    );
    assert!(
        !by_domain.contains(&format!("observation_{}", day().back(1).0)),
        "before that time: {by_domain}"
    );
    let by_time = plan(BY_TIME);
    assert!(
        by_time.contains(&format!("observation_{today}_at_ms_origin_idx")),
        "{by_time}"
    );
}

#[test]
fn mariadb_goes_by_an_index() {
    let setup = Setup {
        settings: [
            "slow-query-log=1",
            "slow-query-log-file=slow.log",
            "long-query-time=0",
            "log-slow-verbosity=query_plan,explain",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Setup::default()
    };
    let Some(host) = MariaDb::with(setup) else { return };
    host.create_database("fleet");
    let server = crate::bed::server(&host.url("fleet"));
    server.migrate().unwrap();
    let octets = |of: &str| format!("unhex(md5({of}))").replace("md5(1)", "md5('1')");
    let concat = |parts: &[&str]| format!("concat({})", parts.join(", "));
    let series = "(SELECT seq AS n FROM seq_0_to_59999) AS series";
    for statement in rows(series, octets, concat).split_inclusive(";\n") {
        host.sql("fleet", statement);
    }
    host.sql(
        "fleet",
        "ANALYZE TABLE tally, reporting_row, published, outcome, observation",
    );
    ask(&server);
    let log = std::fs::read(host.folder().join("data/slow.log")).unwrap();
    let log = String::from_utf8_lossy(&log);
    let key = |of: &str, table: &str| {
        // Values stand in their places, and what is between them is as it was.
        let between: Vec<&str> = of
            .split('$')
            .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()))
            .collect();
        let has_all = |told: &&str| {
            let mut rest = *told;
            between.iter().all(|part| {
                let found = rest.split_once(part);
                rest = found.map_or(rest, |(_, behind)| behind);
                found.is_some()
            })
        };
        let asked = log.split("# User@Host").filter(has_all);
        let told = asked.last().unwrap_or_else(|| panic!("nobody asked {of}: {log}"));
        let lines = told.lines().filter_map(|line| line.strip_prefix("# explain: "));
        let mut rows = lines.map(|line| line.split('\t').collect::<Vec<_>>());
        let found = rows.find(|row| row.get(2) == Some(&table));
        found.unwrap_or_else(|| panic!("{of} without {table}: {told}"))[5].to_owned()
    };
    assert_eq!([key(TALLY, "tally"), key(TALLY, "r")], ["PRIMARY", "PRIMARY"]);
    assert_eq!(
        [key(CHUNK, "tally"), key(CHUNK, "r")],
        ["tally_by_day", "PRIMARY"]
    );
    assert_eq!(
        [key(BY_QUEUE_ID, "o"), key(BY_QUEUE_ID, "c")],
        ["observation_by_queue_id", "PRIMARY"]
    );
    assert_eq!(key(BY_SHORT_ID, "o"), "observation_by_short_id");
    assert_eq!([key(BY_DOMAIN, "o"), key(BY_DOMAIN, "c")], ["PRIMARY", "PRIMARY"]);
    assert_eq!(
        [key(BY_TIME, "o"), key(BY_TIME, "c")],
        ["observation_by_time", "PRIMARY"]
    );
}
