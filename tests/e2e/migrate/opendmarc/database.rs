//! The tables of other versions, and a database that cannot be read: on a real MariaDB.

use super::{Ours, RECORDS, arriving, shown, sums};
use crate::binary::Ran;
use crate::migrate::opendmarc::site::{Arriving, Site};

/// What turns the tables of 1.4 into those of 1.2: no selectors, no ARC.
const TO_1_2: [&str; 6] = [
    "ALTER TABLE messages DROP COLUMN arc",
    "ALTER TABLE messages DROP COLUMN arc_policy",
    "ALTER TABLE signatures DROP COLUMN selector",
    "DROP TABLE selectors",
    "DROP TABLE arcauthresults",
    "DROP TABLE arcseals",
];
/// What turns them into later ones.
const TO_LATER: [&str; 4] = [
    "ALTER TABLE messages ADD COLUMN spf_scope TINYINT NOT NULL DEFAULT '-1' AFTER spf",
    "ALTER TABLE requests ADD COLUMN fo TINYINT NOT NULL DEFAULT '0' AFTER pct",
    "UPDATE messages SET spf_scope = 2",
    "UPDATE requests SET fo = 9",
];

/// A site with messages in its database.
fn filled() -> Option<Site> {
    let site = Site::start()?;
    let mails: Vec<_> = arriving().iter().take(60).map(Arriving::mail).collect();
    site.judge(&RECORDS, &mails);
    let imported = site.import(&site.history());
    assert_eq!(String::from_utf8_lossy(&imported.stderr), "");
    Some(site)
}

fn with_password(site: &Site) -> String {
    site.address().replace("@127", ":opendmarc@127")
}

/// S1: nothing is counted otherwise because a column is there or not.
#[test]
fn tb1_the_tables_of_each_version_are_read() {
    let Some(site) = filled() else { return };
    let of_1_4 = Ours::new();
    let done = of_1_4.migrated(&["--database", &with_password(&site)]);
    assert_eq!(
        (&done["new"], &done["without_a_policy"]),
        (&48.into(), &12.into()),
        "{done}"
    );

    TO_LATER.iter().for_each(|sql| drop(site.ask(sql)));
    let later = Ours::new();
    later.migrated(&["--database", &with_password(&site)]);
    let reports = later.reports();
    assert_eq!(sums::sums(&reports), sums::sums(&of_1_4.reports()));
    let rows = reports.iter().flat_map(|reading| &reading.report.rows);
    let mut scopes = rows
        .flat_map(|row| &row.key.spf)
        .map(|spf| spf.scope.clone().unwrap());
    assert!(scopes.all(|scope| scope.as_str() == "helo"));
    let options =
        |reading: &landmarc_intake::aggregate::ReportReading| reading.report.policy.failure_options.clone();
    assert!(
        reports
            .iter()
            .all(|reading| options(reading).as_deref() == Some("0:s"))
    );

    TO_1_2.iter().for_each(|sql| drop(site.ask(sql)));
    let of_1_2 = Ours::new();
    of_1_2.migrated(&["--database", &with_password(&site)]);
    let reports = of_1_2.reports();
    assert_eq!(sums::sums(&reports), sums::sums(&of_1_4.reports()));
    let rows = reports.iter().flat_map(|reading| &reading.report.rows);
    assert!(
        rows.flat_map(|row| &row.key.dkim)
            .all(|dkim| dkim.selector.is_empty())
    );
}

/// T4: what `opendmarc-params` has locked stays where it was.
#[test]
fn domains_that_were_locked_are_redirected() {
    let Some(site) = filled() else { return };
    site.ask(
        "UPDATE requests SET locked = 1, repuri = 'mailto:instead@aside.example' \
         WHERE domain = (SELECT id FROM domains WHERE name = 'watch.example')",
    );
    let ours = Ours::new();
    let done = ours.migrated(&["--database", &with_password(&site), "--dry-run"]);
    assert_eq!(
        (&done["dry_run"], &done["redirected_domains"]),
        (&true.into(), &1.into()),
        "{done}"
    );
    assert_eq!(
        ours.migrated(&["--database", &with_password(&site)])["redirected_domains"],
        1
    );
    let again = ours.migrated(&["--database", &with_password(&site)]);
    assert_eq!(
        (&again["redirected_domains"], &again["new"]),
        (&0.into(), &0.into()),
        "{again}"
    );
    let letters = ours.letters();
    let about = |letter: &&Vec<u8>| String::from_utf8_lossy(letter).contains("Report Domain: watch.example");
    let letter = String::from_utf8_lossy(letters.iter().find(about).unwrap()).into_owned();
    assert!(
        letter.contains("To: <instead@aside.example>") || letter.contains("To: instead@aside.example"),
        "{letter}"
    );
}

#[test]
fn messages_before_a_day_are_left_out() {
    let Some(site) = filled() else { return };
    site.ask("UPDATE messages SET date = DATE_SUB(date, INTERVAL 3 DAY) WHERE id <= 20");
    let ours = Ours::new();
    let done = ours.migrated(&[
        "--database",
        &with_password(&site),
        "--since",
        "yesterday",
        "--dry-run",
    ]);
    assert_eq!(done["new"], 32, "of forty, eight without a policy: {done}");
    let all = ours.migrated(&["--database", &with_password(&site), "--dry-run"]);
    assert_eq!(all["new"], 48, "a rehearsal writes nothing: {all}");
}

#[test]
fn a_database_that_cannot_be_read_is_told_with_what_can_be_done() {
    let Some(site) = Site::start() else { return };
    let ours = Ours::new();
    let file = ours.folder().write("password", "wrong\n");
    let printed = |ran: &Ran| {
        assert!(
            !ran.stderr.contains("wr0ng") && !ran.stdout.contains("wr0ng"),
            "{}",
            ran.stderr
        );
        (ran.code, ran.stderr.clone())
    };
    let denied = printed(&ours.migrate(&["--database", &site.address(), "--password-file", shown(&file)]));
    assert_eq!(denied.0, 69);
    assert!(
        denied.1.contains("refuses the login: Access denied") && denied.1.contains("GRANT SELECT"),
        "{}",
        denied.1
    );
    let in_address = site.address().replace("@127", ":wr0ng@127");
    assert_eq!(printed(&ours.migrate(&["--database", &in_address])).0, 69);

    let file = ours.folder().write("password", "opendmarc\n");
    let read =
        |address: &str| printed(&ours.migrate(&["--database", address, "--password-file", shown(&file)]));
    let other = site.address().replace("/opendmarc", "/elsewhere");
    let (code, text) = read(&other);
    // Whoever may not see a database is told the same as if it were not there.
    assert!(
        code == 69 && (text.contains("no such database") || text.contains("Access denied")),
        "{text}"
    );
    site.ask("DROP TABLE requests");
    let (code, text) = read(&site.address());
    assert!(code == 65 && text.contains("no table requests"), "{code} {text}");
    let nobody = site.address().replace(&site.database_port.to_string(), "1");
    let (code, text) = read(&nobody);
    assert!(
        code == 69 && text.contains("cannot connect") && text.contains("bind-address"),
        "{text}"
    );
    assert_eq!(read("mysql://opendmarc@127.0.0.1").0, 64);
}
