//! What `opendmarc-reports` does with letters that should not go out, and with those that do not.

use landmarc_testkit::relay::{At, Fault, Relay, Script};

use super::site::{Arriving, Site};
use super::{Ours, shown};
use crate::binary::landmarc;

/// A domain whose reports are to go to another, which has not agreed to have them.
const RECORD: (&str, &str) = (
    "stranger.example",
    "v=DMARC1; p=none; rua=mailto:dmarc@elsewhere.example",
);

/// G9, G10: it asks nobody whether that other domain agrees, and a letter that is refused is as good as sent.
#[test]
fn g9_g10_what_goes_to_strangers_and_what_is_lost() {
    let Some(site) = Site::start() else { return };
    let arriving = Arriving {
        job: "4ZQ0000001".to_owned(),
        host: "mx01.here.example",
        client: "192.0.2.7".parse().unwrap(),
        author: "a@stranger.example".to_owned(),
        mail_from: "a@stranger.example".to_owned(),
        spf: "pass",
        dkim: Vec::new(),
    };
    site.judge(&[RECORD], &[arriving.mail()]);
    let imported = site.import(&site.history());
    assert_eq!(String::from_utf8_lossy(&imported.stderr), "");

    let relay = Relay::start(Script::with(Fault::say(At::Rcpt, "550 5.1.1 nobody here")));
    let refused = site.reports_to(&relay);
    let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        printed.contains("stranger.example to dmarc@elsewhere.example"),
        "{printed}"
    );
    assert!(relay.messages().is_empty());
    relay.set(Script::default());
    let again = site.reports_to(&relay);
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
    assert!(relay.messages().is_empty(), "G10: it is not sent again");
    site.ask("UPDATE requests SET lastsent = '1971-01-01 00:00:00'");
    assert!(site.reports_to(&relay).status.success());
    let to: Vec<_> = relay
        .messages()
        .into_iter()
        .flat_map(|letter| letter.rcpt_to)
        .collect();
    assert_eq!(to, ["dmarc@elsewhere.example"], "G9: nobody was asked");

    let ours = Ours::new();
    let done = ours.migrated(&["--history", shown(&site.history())]);
    assert_eq!(done["new"], 1, "{done}");
    let status = landmarc(["store", "status", "--json", "--config", ours.settings()]).json();
    let ran = landmarc([
        "outbox",
        "send",
        "--day",
        status["tally_days"]["first"].as_str().unwrap(),
        "--now=2100-01-01",
        "--dry-run",
        "--config",
        ours.settings(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for printed in [
        "stranger.example: no report: mailto:dmarc@elsewhere.example: not authorised",
        "would be sent: 0 deliveries",
    ] {
        assert!(ran.stdout.contains(printed), "{}", ran.stdout);
    }
}
