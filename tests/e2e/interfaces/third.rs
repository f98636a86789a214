//! What sites with OpenDMARC have come to rely on, seen from the MTA (checklist 2.5), and what is better here.

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Edit, Mail, Mta, Offer, Outcome, Verdict};

use crate::serve::for_mta;
use crate::service::{Service, Socket};
use crate::world::{STRANGER, letter, unfolded, zones};

/// The service, and what it asks, with a scripted MTA for each message.
struct Stage {
    service: Service,
    dns: DnsServer,
}

impl Stage {
    fn new(name: &str, settings: &str) -> Self {
        let dns = DnsServer::start(zones());
        let service = Service::start(name, Socket::Inet, dns.addr(), settings);
        Self { service, dns }
    }

    fn deliver(&self, mail: &Mail) -> Outcome {
        let mut mta = Mta::connect_with(&for_mta(self.service.milter()), Offer::POSTFIX).unwrap();
        mta.deliver(mail).unwrap()
    }
}

/// From a stranger, in the name of a domain that asks for rejection.
fn spoof() -> Mail {
    Mail {
        client: STRANGER.parse().ok(),
        client_name: "unknown".to_owned(),
        mail_from: "<a@reject.example>".to_owned(),
        ..Mail::plain()
    }
    .with_text(&letter("a@reject.example"))
}

/// The same with these macros in place of those of their name.
fn with_macros(macros: &[(&str, &str)]) -> Mail {
    let mut mail = spoof();
    mail.macros
        .retain(|(name, _)| macros.iter().all(|(other, _)| other != name));
    let more = macros
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    mail.macros.extend(more);
    mail
}

/// The values of the fields that are put on top, each on one line.
fn added(outcome: &Outcome) -> String {
    let values = outcome.edits.iter().filter_map(|edit| match edit {
        Edit::Insert { value, .. } => Some(unfolded(&String::from_utf8_lossy(value))),
        _ => None,
    });
    values.collect::<Vec<_>>().join("\n")
}

/// M17: what is refused gets no header field; M12: it gets its reason.
#[test]
fn m12_m17_a_refused_message_is_left_as_it_is() {
    let stage = Stage::new("third-refused", "mode = \"enforce\"\nsoftware_header = true\n");
    let outcome = stage.deliver(&spoof());
    let Verdict::Reply(reply) = &outcome.verdict else {
        panic!("{outcome:?}");
    };
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    assert!(outcome.edits.is_empty(), "{:?}", outcome.edits);
}

/// M8, P38: the users of the site are not judged.
#[test]
fn m8_p38_authenticated_clients_are_let_by() {
    let stage = Stage::new("third-users", "mode = \"enforce\"\n");
    let outcome = stage.deliver(&with_macros(&[("{auth_authen}", "anna"), ("i", "user")]));
    assert_eq!((outcome.verdict, outcome.edits.len()), (Verdict::Accept, 0));
    stage.service.message("user").says("skipped=authenticated");

    let stage = Stage::new(
        "third-no-users",
        "mode = \"enforce\"\nclients.skip_authenticated = false\n",
    );
    let outcome = stage.deliver(&with_macros(&[("{auth_authen}", "anna")]));
    assert!(matches!(outcome.verdict, Verdict::Reply(_)), "{outcome:?}");
}

/// M6: OpenDMARC takes a client without address for 127.0.0.1, whose mail it passes over.
#[test]
fn m6_a_client_without_address_is_judged() {
    let stage = Stage::new("third-unknown", "");
    let mut mail = with_macros(&[("i", "nobody")]);
    mail.macros.retain(|(name, _)| name != "{client_addr}");
    mail.client = None;
    assert_eq!(stage.deliver(&mail).verdict, Verdict::Accept);
    let line = stage.service.message("nobody");
    line.says("spf=none dmarc=fail");
}

/// P1: the mail server's own name (`j`), unless one is set; H2: policy, what was done, and the author beside the result.
#[test]
fn p1_h2_the_name_is_that_of_the_mail_server() {
    let stage = Stage::new("third-name", "");
    let edits = added(&stage.deliver(&spoof()));
    assert!(
        edits.contains("mail.example.net;") && edits.contains("dmarc=fail"),
        "{edits}"
    );
    for part in ["p=reject dis=none", "header.from=reject.example"] {
        assert!(edits.contains(part), "{part}: {edits}");
    }
    let stage = Stage::new("third-own-name", "authserv_id = \"MX01.nausch.example\"\n");
    let edits = added(&stage.deliver(&spoof()));
    assert!(edits.contains("MX01.nausch.example;"), "{edits}");
}

/// M3: without a queue id there is no job to name, and the rest of the field is as ever.
#[test]
fn m3_p2_without_a_queue_id_no_job_is_made_up() {
    let settings = "authserv_id_with_job_id = true\nsoftware_header = true\nauthserv_id = \"mx.example\"\n";
    let stage = Stage::new("third-nameless", settings);
    let mut nameless = spoof();
    nameless.macros.retain(|(name, _)| name != "i");
    let edits = added(&stage.deliver(&nameless));
    assert!(edits.contains("mx.example;"), "{edits}");
    assert!(edits.contains("mx.example unknown"), "{edits}");
    let edits = added(&stage.deliver(&with_macros(&[("i", "4Fb1")])));
    assert!(edits.contains("mx.example/4Fb1;"), "{edits}");
}

/// P10: each question has its time; M15: what it left open is put off where the operator wants that.
#[test]
fn p10_m15_a_name_server_that_says_nothing_is_not_waited_for_for_ever() {
    let settings =
        "mode = \"enforce\"\ndns.question_timeout = \"200ms\"\nfailures.dns.action = \"tempfail\"\n";
    let stage = Stage::new("third-silent", settings);
    stage.dns.set_silent(true);
    let Verdict::Reply(reply) = stage.deliver(&spoof()).verdict else {
        panic!("it is not put off");
    };
    assert!(reply.starts_with("451 4.7.1 "), "{reply}");
}

/// P25, M9: as OpenDMARC refuses what is no mail, only when enforcing.
#[test]
fn p25_m9_a_message_without_date_is_refused() {
    let settings = "action.required_header_fields = true\n";
    let mail = spoof().with_text(b"From: a@plain.example\r\nSubject: x\r\n\r\nx\r\n");
    let stage = Stage::new("third-dateless", &format!("mode = \"enforce\"\n{settings}"));
    let Verdict::Reply(reply) = stage.deliver(&mail).verdict else {
        panic!("it is accepted");
    };
    assert!(
        reply.contains("RFC5322 requirement error: not exactly one Date field"),
        "{reply}"
    );
    let line = &stage.service.messages(1)[0];
    assert_eq!(
        line.get("cause"),
        "RFC5322 requirement error: not exactly one Date field"
    );

    let stage = Stage::new("third-observing", settings);
    assert_eq!(stage.deliver(&mail).verdict, Verdict::Accept);
    stage.service.messages(1)[0].says("action=accept enforced_action=reject");
}

/// P17, O6: the file of the seed is read, and read again at a reload; a broken one leaves the old one in force.
#[test]
fn p17_o6_the_file_of_hosts_is_read_again_at_a_reload() {
    let stage = Stage::new("third-hosts", "");
    let file = stage.service.settings_file().with_file_name("ignore.hosts");
    let settings = format!("clients.trusted_hosts_file = {file:?}\n");
    std::fs::write(&file, "# ignored\nlocalhost\n").unwrap();
    assert!(stage.service.reload(&settings).contains("configuration reloaded"));
    assert_eq!(
        stage.deliver(&with_macros(&[("i", "first")])).verdict,
        Verdict::Accept
    );
    stage.service.message("first").says("dmarc=fail");
    std::fs::write(&file, format!("localhost\n{STRANGER}/255.255.255.255\n")).unwrap();
    stage.service.reload(&settings);
    assert_eq!(
        stage.deliver(&with_macros(&[("i", "second")])).verdict,
        Verdict::Accept
    );
    stage.service.message("second").says("skipped=trusted_network");
    std::fs::write(&file, "localhost\n192.0.2.256\n").unwrap();
    stage.service.reload(&settings);
    stage
        .service
        .wait_for_line(&format!("{}:2: \"192.0.2.256\" is no host", file.display()));
    assert_eq!(
        stage.deliver(&with_macros(&[("i", "third")])).verdict,
        Verdict::Accept
    );
    stage.service.message("third").says("skipped=trusted_network");
}
