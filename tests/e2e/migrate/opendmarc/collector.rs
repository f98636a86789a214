//! The collector of the OpenDMARC seed (checklist O8, O9): a script of a crontab that fetches the history files
//! of all mail servers, imports them, reports and expires. It is left as it is, but for `cp` in place of
//! `scp` and `ssh`; what it calls is landmarc.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Output};
use std::time::SystemTime;

use landmarc_testkit::relay::{Relay, Script};
use serde_json::Value;

use super::{Ours, RECORDS, arriving, shown, sums};
use crate::binary::{executable, landmarc};
use crate::migrate::opendmarc::site::{Arriving, Site};

/// `{…}` is filled in.
const COLLECTOR: &str = r#"#!/bin/sh
WORKDIR="{work}/"
WORKFILE="opendmarc_all_hosts.dat"
MXHOSTS="mx01 mx02"
DBFILE="opendmarc.dat"
DBHOST="mysql.dmz.example"
DBPORT="3306"
DBUSER="opendmarc_user"
DBPASSWD="ALLHs6blVwd8eHoSk2J3WZsT"
DBNAME="opendmarc"

cd $WORKDIR
for HOST in $MXHOSTS; do
  cp {hosts}/${HOST}/$DBFILE ${HOST}.dat
  /bin/cat /dev/null > {hosts}/${HOST}/$DBFILE
  cat ${HOST}.dat >> $WORKFILE
done

{sbin}/opendmarc-import --dbhost=$DBHOST --dbport=$DBPORT --dbname=$DBNAME --dbuser=$DBUSER \
  --dbpasswd=$DBPASSWD < $WORKDIR$WORKFILE

{sbin}/opendmarc-reports --dbhost=$DBHOST --dbport=$DBPORT --dbname=$DBNAME --dbuser=$DBUSER \
  --dbpasswd=$DBPASSWD --verbose --interval=86400 --report-email 'postmaster@here.example' --report-org 'here.example' {more}

{sbin}/opendmarc-expire --dbhost=$DBHOST --dbport=$DBPORT --dbname=$DBNAME --dbuser=$DBUSER \
  --dbpasswd=$DBPASSWD --verbose --expire=90

cd $WORKDIR
rm $WORKDIR*.dat -rf
"#;

#[test]
fn the_collector_of_the_seed_runs_as_it_is() {
    let Some(site) = Site::start() else { return };
    let mails: Vec<_> = arriving().iter().map(Arriving::mail).collect();
    site.judge(&RECORDS, &mails);
    let text = fs::read_to_string(site.history()).unwrap();
    // Yesterday's mail, as a night's run finds it, in two files as two hosts write them; the one was copied
    // while it was written.
    let text = with_times(&text, settled_noon());
    let (first, second) = text.split_at(text.find("job 4ZQ0000100").unwrap());
    let (cut, _) = first.split_at(first.rfind("align_dkim").unwrap() + 7);
    let ours = Ours::new();
    for (host, history) in [("mx01", cut), ("mx02", second)] {
        ours.folder()
            .write(format!("hosts/{host}/opendmarc.dat"), history);
    }
    let relay = Relay::start(Script::default());
    let ran = run(
        &ours,
        &format!("--smtp-server=127.0.0.1 --smtp-port={}", relay.address().port()),
    );
    let printed = String::from_utf8_lossy(&ran.stderr).into_owned();
    // HF6: one record was cut, and the next one, glued to it, was not lost.
    assert!(
        printed.contains("standard input: line ") && printed.contains("in the middle"),
        "{printed}"
    );
    assert_eq!(
        printed.matches("name no database any more").count(),
        2,
        "{printed}"
    );
    assert!(!printed.contains("ALLHs6blVwd8eHoSk2J3WZsT"), "{printed}");
    let letters = relay.messages();
    let reports = sums::in_letters(letters.iter().map(|letter| letter.text.as_slice()));
    let messages: u64 = sums::sums(&sums::each_once(reports)).values().sum();
    // Of two hundred, forty without a policy, and twenty of silent.example, which asks for no report; the
    // hundredth, of watch.example, was the one that was cut.
    assert_eq!(messages, 139, "{printed}");
    assert!(
        fs::read_dir(ours.folder().join("work")).unwrap().next().is_none(),
        "it has tidied up"
    );

    // The next night has nothing new: nothing is reported twice.
    for host in ["mx01", "mx02"] {
        ours.folder().write(format!("hosts/{host}/opendmarc.dat"), "");
    }
    let before = relay.messages().len();
    let ran = run(
        &ours,
        &format!("--smtp-server=127.0.0.1 --smtp-port={}", relay.address().port()),
    );
    assert!(!String::from_utf8_lossy(&ran.stderr).contains("line "), "{ran:?}");
    assert_eq!(relay.messages().len(), before);
}

/// T2: what cannot be sent is told by the exit code; T3: what is old goes.
#[test]
fn a_relay_that_is_away_and_days_that_are_over_are_told() {
    let Some(_) = landmarc_testkit::tools::package("opendmarc") else {
        return;
    };
    let ours = Ours::new();
    let history = super::tools::HISTORY.replace("{received}", &yesterday_noon().to_string());
    let old = super::tools::HISTORY.replace("{received}", &(yesterday_noon() - 100 * 86_400).to_string());
    let file = ours.folder().write("both.dat", format!("{history}{old}"));
    assert_eq!(ours.migrated(&["--history", shown(&file)])["new"], 2);
    let reports = landmarc([
        "opendmarc-reports",
        "--settings",
        ours.settings(),
        "--day",
        "--smtp-server=127.0.0.1",
        "--smtp-port=1",
    ]);
    assert_eq!(reports.code, 1, "{}{}", reports.stdout, reports.stderr);
    let expire = landmarc([
        "opendmarc-expire",
        "--settings",
        ours.settings(),
        "--expire=90",
        "--verbose",
    ]);
    assert_eq!(expire.code, 0, "{}", expire.stderr);
    assert!(
        expire.stderr.contains("1 row(s) of the tally"),
        "{}",
        expire.stderr
    );
    let status: Value = landmarc(["store", "status", "--json", "--config", ours.settings()]).json();
    assert_eq!(status["tally_rows"], 1);
    assert_eq!(
        landmarc(["opendmarc-expire", "--settings", ours.settings(), "--expire=0"]).code,
        1
    );
}

/// Runs it, with the programs that it calls as links to ours.
fn run(ours: &Ours, more: &str) -> Output {
    let folder = ours.folder();
    fs::create_dir_all(folder.join("work")).unwrap();
    fs::create_dir_all(folder.join("sbin")).unwrap();
    for program in ["opendmarc-import", "opendmarc-reports", "opendmarc-expire"] {
        // There from the night before.
        let _ = symlink(executable(), folder.join("sbin").join(program));
    }
    let script = COLLECTOR
        .replace("{work}", shown(&folder.join("work")))
        .replace("{hosts}", shown(&folder.join("hosts")))
        .replace("{sbin}", shown(&folder.join("sbin")))
        .replace("{more}", more);
    let script = folder.write("dmarc-report", script);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("sh");
    command.arg(script).env("LANDMARC_SETTINGS", ours.settings());
    command.output().unwrap()
}

/// Noon (UTC) of the last day that is over and has settled (`report.settle`), in Unix seconds.
fn settled_noon() -> u64 {
    let is_settling = now_s() % 86_400 < 3_600;
    yesterday_noon() - u64::from(is_settling) * 86_400
}

/// Noon of yesterday in UTC, in Unix seconds.
pub(super) fn yesterday_noon() -> u64 {
    (now_s() / 86_400 - 1) * 86_400 + 12 * 3_600
}

fn now_s() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

fn with_times(history: &str, received_s: u64) -> String {
    let line = |line: &str| match line.starts_with("received ") {
        true => format!("received {received_s}\n"),
        false => format!("{line}\n"),
    };
    history.lines().map(line).collect()
}
