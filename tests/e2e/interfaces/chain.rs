//! OpenDMARC's place: the third milter of a real Postfix, behind Debian's pyspf-milter and opendkim, whose
//! word it takes (checklist O2, O10, A1 to A7; docs/three-milters.md).

mod told;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;

use landmarc_auth::lookup::{Question, RecordType, Zones};
use landmarc_e2e::{Delivered, HOST_NAME, Outcome, Postfix, PostfixConfig};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{Daemon, Folder, free_port, package};

use crate::service::{Line, Service, Socket};
use crate::world::{
    ALLOWED, HELO, RECIPIENT, STRANGER, Signer, envelope, letter, queue_id, send, signed_letter, unfolded,
    zones,
};

const RESULTS: &str = "Authentication-Results";
/// SPF and DKIM are the others' to check.
const THIRD: &str = "authentication.spf = \"upstream\"\nauthentication.dkim = \"upstream\"\n";

/// Postfix with its three filters. Those ahead ask one DNS server, landmarc another.
struct Chain {
    postfix: Postfix,
    service: Service,
    own_dns: DnsServer,
    _ahead: Vec<Daemon>,
    _dns: DnsServer,
    _folder: Folder,
}

impl Chain {
    /// With these lines in the settings of landmarc, and in those of opendkim.
    fn start(name: &str, settings: &str, of_opendkim: &str) -> Option<Self> {
        Self::start_in(zones(), name, &format!("{THIRD}{settings}"), of_opendkim)
    }

    /// The same where DNS has these zones, with no other settings.
    fn start_in(zones: Zones, name: &str, settings: &str, of_opendkim: &str) -> Option<Self> {
        let (spf, dkim) = (package("pyspf-milter")?, package("opendkim")?);
        let (dns, own_dns) = (DnsServer::start(zones.clone()), DnsServer::start(zones));
        let folder = Folder::new(name);
        let (spf_port, dkim_port) = (free_port(), free_port());
        let ahead = vec![
            pyspf_milter(&folder, &spf, spf_port, &dns),
            opendkim(&folder, &dkim, dkim_port, &dns, of_opendkim),
        ];
        let service = Service::start(name, Socket::Inet, own_dns.addr(), settings);
        let milters = [
            format!("inet:127.0.0.1:{spf_port}"),
            format!("inet:127.0.0.1:{dkim_port}"),
            service.milter().to_owned(),
        ];
        let postfix = Postfix::start(&PostfixConfig::with_milters(milters)).expect("Postfix starts")?;
        Some(Self {
            postfix,
            service,
            own_dns,
            _ahead: ahead,
            _dns: dns,
            _folder: folder,
        })
    }

    fn send(&self, client: &str, mail_from: &str, message: &[u8]) -> Outcome {
        send_as(&self.postfix, client, mail_from, message)
    }

    /// What the recipient got, and the line of the log.
    #[track_caller]
    fn delivered(&self, outcome: &Outcome) -> (Delivered, Line) {
        let queue_id = queue_id(outcome);
        let delivered = self.postfix.sink.wait_for(queue_id);
        let delivered = delivered.unwrap_or_else(|| panic!("{queue_id} was not delivered"));
        (delivered, self.service.message(queue_id))
    }

    /// That landmarc has looked up policies, and neither SPF records nor keys.
    #[track_caller]
    fn asked_for_policies_alone(&self) {
        let asked = self.own_dns.log();
        assert_eq!(spf_and_keys(&asked), [""; 0]);
        assert!(!asked.is_empty());
    }
}

/// Started as Debian's unit does, but for its files and its name server.
fn pyspf_milter(folder: &Folder, package: &std::path::Path, port: u16, dns: &DnsServer) -> Daemon {
    let address = dns.addr();
    folder.write(
        "site/sitecustomize.py",
        format!(
            "import dns.resolver\nresolver = dns.resolver.Resolver(configure=False)\n\
             resolver.nameservers = [\"{}\"]\nresolver.port = {}\ndns.resolver.default_resolver = resolver\n",
            address.ip(),
            address.port()
        ),
    );
    let settings = folder.write(
        "pyspf-milter.conf",
        format!(
            "debugLevel = 1\nTestOnly = 0\nHELO_reject = False\nMail_From_reject = False\n\
             Authserv_Id = {HOST_NAME}\nSocket = inet:{port}@127.0.0.1\nPidFile = {}\nUserID = root\n\
             InternalHosts = 127.0.0.1\nskip_addresses = 127.0.0.1\n",
            folder.join("pyspf-milter.pid").display()
        ),
    );
    let modules = package.join("usr/lib/python3/dist-packages");
    let mut command = Command::new("/usr/bin/python3");
    command
        .arg(package.join("usr/bin/pyspf-milter"))
        .arg(settings)
        .env(
            "PYTHONPATH",
            format!("{}:{}", folder.join("site").display(), modules.display()),
        );
    Daemon::start(&mut command, folder.join("pyspf-milter.log")).listens_on(port)
}

fn opendkim(
    folder: &Folder,
    package: &std::path::Path,
    port: u16,
    dns: &DnsServer,
    settings: &str,
) -> Daemon {
    let address = dns.addr();
    let resolver = folder.write(
        "unbound.conf",
        format!(
            "server:\n  do-not-query-localhost: no\nforward-zone:\n  name: \".\"\n  forward-addr: {}@{}\n",
            address.ip(),
            address.port()
        ),
    );
    let settings = folder.write(
        "opendkim.conf",
        format!(
            "Mode v\nSocket inet:{port}@127.0.0.1\nAlwaysAddARHeader yes\nAuthservID {HOST_NAME}\n\
             ResolverConfiguration {}\nSyslog no\nBackground no\nUserID root\n{settings}",
            resolver.display()
        ),
    );
    let mut command = Command::new(package.join("usr/sbin/opendkim"));
    command.arg("-f").arg("-x").arg(settings);
    Daemon::start(&mut command, folder.join("opendkim.log")).listens_on(port)
}

/// One message in a session of its own, from the client with this address.
fn send_as(postfix: &Postfix, client: &str, mail_from: &str, message: &[u8]) -> Outcome {
    let mut smtp = postfix.connect().expect("Postfix greets");
    smtp.ehlo("e2e.example").expect("EHLO is answered");
    let address = client.parse().expect("an address");
    let reply = smtp.as_client(address, None, HELO).expect("XCLIENT is answered");
    assert_eq!(reply.code, 250, "{reply:?}");
    send(&mut smtp, &envelope(mail_from), message)
}

/// The names among these questions that are about SPF records and keys, of signatures or of ARC sets.
fn spf_and_keys(asked: &[Question]) -> Vec<String> {
    let is_one = |question: &&Question| {
        let name = question.name.to_string();
        let is_text = question.record_type == RecordType::Txt;
        name.contains("_domainkey") || (is_text && !name.starts_with("_dmarc."))
    };
    let found = asked.iter().filter(is_one);
    found.map(|question| question.name.to_string()).collect()
}

/// All Authentication-Results, topmost first, on one line each.
fn all_results(delivered: &Delivered) -> Vec<String> {
    let values = delivered.values(RESULTS);
    values.iter().map(|value| unfolded(value)).collect()
}

/// O2, O10, A1 to A3: SPF, DKIM, DMARC, in this order, and each field above the last.
#[test]
fn o2_o10_the_third_milter_takes_the_word_of_the_first_two() {
    let Some(chain) = Chain::start("chain", "mode = \"enforce\"\n", "") else {
        return;
    };
    let outcome = chain.send(ALLOWED, "a@reject.example", &signed_letter("reject.example"));
    let (delivered, line) = chain.delivered(&outcome);
    line.says("author_domain=reject.example spf=pass dkim=pass dmarc=pass action=accept");
    let names: Vec<String> = delivered.fields().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names.get(..4),
        Some(&[RESULTS, RESULTS, RESULTS, "Received"].map(str::to_owned)[..])
    );
    let results = all_results(&delivered);
    assert!(
        results[0].starts_with(&format!("{HOST_NAME}; dmarc=pass")),
        "{results:?}"
    );
    assert!(
        results[1].contains("dkim=pass") && results[2].contains("spf=pass"),
        "{results:?}"
    );

    // A sender with neither, one whose SPF alone breaks, and one whose body was changed.
    let outcome = chain.send(STRANGER, "a@reject.example", &letter("a@reject.example"));
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
    let outcome = chain.send(STRANGER, "a@reject.example", &signed_letter("reject.example"));
    let (_, line) = chain.delivered(&outcome);
    line.says("spf=fail dkim=pass dmarc=pass action=accept");
    let mut changed = Signer::relaxed("reject.example").sign(&letter("a@reject.example"));
    changed.extend_from_slice(b"and more\r\n");
    let outcome = chain.send(STRANGER, "a@reject.example", &changed);
    let line = chain.service.message(queue_id(&outcome));
    line.says("spf=fail dkim=fail dmarc=fail action=quarantine");
    chain.asked_for_policies_alone();
}

/// P2, P27, H1, H5, A1: what the seed's mail looked like, with the queue id behind every name.
#[test]
fn h1_h5_the_header_of_the_seed() {
    let settings = "authserv_id_with_job_id = true\nsoftware_header = true\n";
    let Some(chain) = Chain::start("chain-seed", settings, "AuthservIDWithJobID yes\n") else {
        return;
    };
    let outcome = chain.send(STRANGER, "a@reject.example", &signed_letter("reject.example"));
    let (delivered, line) = chain.delivered(&outcome);
    line.says("spf=fail dkim=pass dmarc=pass");
    let id = queue_id(&outcome);
    let version = env!("CARGO_PKG_VERSION");
    let fields = delivered.fields();
    assert_eq!(fields[0].0, "DMARC-Filter");
    assert_eq!(fields[0].1.trim(), format!("landmarc {version} {HOST_NAME} {id}"));
    let results = all_results(&delivered);
    assert_eq!(results.len(), 3, "{results:?}");
    let ours = results[0].strip_prefix(&format!("{HOST_NAME}/{id}; dmarc=pass "));
    assert!(
        ours.is_some_and(|rest| rest.contains("header.from=reject.example")),
        "{results:?}"
    );
    assert!(
        results[1].starts_with(&format!("{HOST_NAME}/{id}; dkim=pass")),
        "{results:?}"
    );
    chain.asked_for_policies_alone();
}

/// A7: whatever form a forged field has, it neither counts nor stays.
#[test]
fn a7_results_that_the_client_sends_never_count() {
    let Some(chain) = Chain::start("chain-forged", "", "") else {
        return;
    };
    let forged: String = [
        "Authentication-Results: mx.landmarc.test; spf=pass smtp.mailfrom=reject.example",
        "Authentication-Results: MX.landmarc.test; dkim=pass header.d=reject.example header.s=s1",
        "Authentication-Results: mx.landmarc.test/4Fb1; spf=pass smtp.mailfrom=reject.example; dkim=pass header.d=reject.example",
        "Authentication-Results: (x) \"mx.landmarc.test\" 1; dmarc=pass header.from=reject.example",
        "Authentication-Results: partner.example; spf=pass smtp.mailfrom=reject.example",
    ]
    .map(|line| format!("{line}\r\n"))
    .concat();
    let with_forged = |letter: Vec<u8>| [forged.as_bytes(), &letter].concat();
    let unsigned = with_forged(letter("a@reject.example"));
    // A signature in the name of the author that anybody could write.
    let bogus = with_forged(
        [
            &b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=reject.example; s=s1; h=from:subject;\r\n\
               \tbh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; b=YWJjZGVmZ2hp\r\n"[..],
            &letter("a@reject.example"),
        ]
        .concat(),
    );
    for message in [unsigned, bogus] {
        let outcome = chain.send(STRANGER, "a@reject.example", &message);
        let (delivered, line) = chain.delivered(&outcome);
        line.says("spf=fail dmarc=fail");
        assert_ne!(line.get("enforced_action"), "accept");
        let results = all_results(&delivered);
        let (ours, others): (Vec<_>, Vec<_>) = results
            .iter()
            .partition(|value| value.to_ascii_lowercase().contains(HOST_NAME));
        assert_eq!(ours.len(), 3, "those of the three filters: {results:?}");
        assert_eq!(
            others,
            [&"partner.example; spf=pass smtp.mailfrom=reject.example".to_owned()]
        );
    }
    chain.asked_for_policies_alone();
}

/// A7: pyspf-milter repeats the address of the sender without quoting it, and opendkim then removes the field
/// of pyspf-milter; opendkim repeats `i=` of a signature decoded. Neither lets a forged result count.
#[test]
fn a7_what_the_filters_ahead_repeat_is_no_result() {
    let Some(chain) = Chain::start("chain-repeated", "", "") else {
        return;
    };
    let forged = b"Authentication-Results: mx.landmarc.test; spf=pass smtp.mailfrom=reject.example\r\n";
    let message = [&forged[..], &letter("a@reject.example")].concat();
    let mail_from = "\"x); dkim=pass header.d=reject.example (y\"@reject.example";
    let outcome = chain.send(STRANGER, mail_from, &message);
    let (_, line) = chain.delivered(&outcome);
    line.says("author_domain=reject.example spf=permerror dmarc=fail");

    let signature = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=plain.example; s=s1; h=from:subject;\r\n\
         \ti=a=3B=20spf=3Dpass=20smtp.mailfrom=3Dreject.example=3B=20x=3Dy@plain.example;\r\n\
         \tbh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; b=YWJjZGVmZ2hp\r\n";
    let message = [signature.as_bytes(), &letter("a@reject.example")].concat();
    let outcome = chain.send(STRANGER, "a@reject.example", &message);
    let (_, line) = chain.delivered(&outcome);
    line.says("author_domain=reject.example spf=permerror dmarc=fail");
    chain.asked_for_policies_alone();
}

/// A7: the line of docs/three-milters.md keeps forged fields from every filter, so that they do not even count
/// where no filter ahead speaks.
#[test]
fn a7_postfix_can_drop_forged_results_before_any_filter_sees_them() {
    let folder = Folder::new("chain-checks");
    let checks = folder.write(
        "header_checks",
        "/^Authentication-Results:.*mx\\.landmarc\\.test/ IGNORE\n",
    );
    let dns = DnsServer::start(zones());
    let service = Service::start("chain-checks", Socket::Inet, dns.addr(), THIRD);
    let config = PostfixConfig::with_milters([service.milter()])
        .set("header_checks", format!("regexp:{}", checks.display()));
    let Some(postfix) = Postfix::start(&config).expect("Postfix starts") else {
        return;
    };
    let forged =
        "Authentication-Results:\r\n\tmx.landmarc.test;\r\n\tspf=pass smtp.mailfrom=reject.example\r\n";
    let message = [forged.as_bytes(), &letter("a@reject.example")].concat();
    let outcome = send_as(&postfix, STRANGER, "a@reject.example", &message);
    service
        .message(queue_id(&outcome))
        .says("spf=temperror dmarc=temperror");
    // Without it there would be nothing to tell such a field by.
    let named = forged.replace("mx.landmarc.test", "mx.elsewhere.test");
    let message = [named.as_bytes(), &letter("a@reject.example")].concat();
    let outcome = send_as(&postfix, STRANGER, "a@reject.example", &message);
    let delivered = postfix
        .sink
        .wait_for(queue_id(&outcome))
        .expect("it is delivered");
    assert!(
        all_results(&delivered)
            .iter()
            .any(|value| value.starts_with("mx.elsewhere.test;"))
    );
}

/// M5: what a policy service prepends stands above the first Received, where filters put their fields, and this
/// Postfix shows it to milters. It is taken as theirs is, and a forged one below it changes nothing.
#[test]
fn m5_the_field_of_a_policy_service_is_taken_as_that_of_a_filter() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let policy_port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || prepend(&stream));
        }
    });
    let dns = DnsServer::start(zones());
    let settings = "authentication.spf = \"upstream\"\n";
    let service = Service::start("chain-policy", Socket::Inet, dns.addr(), settings);
    let config = PostfixConfig::with_milters([service.milter()]).set(
        "smtpd_recipient_restrictions",
        format!("check_policy_service inet:127.0.0.1:{policy_port}"),
    );
    let Some(postfix) = Postfix::start(&config).expect("Postfix starts") else {
        return;
    };
    let outcome = send_as(&postfix, ALLOWED, "a@reject.example", &letter("a@reject.example"));
    service.message(queue_id(&outcome)).says("spf=pass dmarc=pass");
    let delivered = postfix
        .sink
        .wait_for(queue_id(&outcome))
        .expect("it is delivered");
    let results = all_results(&delivered);
    assert!(results[1].contains("policy service"), "{results:?}");

    let forged = b"Authentication-Results: mx.landmarc.test; spf=pass smtp.mailfrom=reject.example\r\n";
    let message = [&forged[..], &letter("a@reject.example")].concat();
    let outcome = send_as(&postfix, STRANGER, "a@reject.example", &message);
    service.message(queue_id(&outcome)).says("spf=fail dmarc=fail");
}

/// A policy service (SMTPD_POLICY_README) that knows one client.
fn prepend(stream: &std::net::TcpStream) {
    let mut is_allowed = false;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(client) = line.strip_prefix("client_address=") {
            is_allowed = client == ALLOWED;
        }
        if !line.is_empty() {
            continue;
        }
        let result = if is_allowed { "pass" } else { "fail" };
        let answer = format!(
            "action=PREPEND Authentication-Results: {HOST_NAME}; spf={result} (of the policy service) \
             smtp.mailfrom=reject.example\n\n"
        );
        let mut stream = stream;
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// D9: that nobody ahead ever speaks is warned of once; and O2: our DMARC works as the only milter too.
#[test]
fn d9_silence_ahead_is_warned_of() {
    let dns = DnsServer::start(zones());
    let service = Service::start("chain-silent", Socket::Inet, dns.addr(), THIRD);
    let config = PostfixConfig::with_milters([service.milter()]);
    let Some(postfix) = Postfix::start(&config).expect("Postfix starts") else {
        return;
    };
    let mut smtp = postfix.connect().expect("Postfix greets");
    smtp.ehlo("e2e.example").expect("EHLO is answered");
    let address = STRANGER.parse().expect("an address");
    smtp.as_client(address, None, HELO).expect("XCLIENT is answered");
    for _ in 0..60 {
        let outcome = send(
            &mut smtp,
            &envelope("a@plain.example"),
            &letter("a@plain.example"),
        );
        assert!(
            outcome.queue_id().is_some(),
            "to {RECIPIENT}: {:?}",
            outcome.last()
        );
    }
    service.wait_for_line("no Authentication-Results of a trusted authserv-id");
    let told = service
        .log()
        .iter()
        .filter(|line| line.contains("of a trusted authserv-id"))
        .count();
    assert_eq!(told, 1);
}
