//! The world that mail comes from: domains with their records and keys, the clients
//! that send for them, and strangers; and a scene with Postfix and the service in it.

use std::net::IpAddr;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_auth::dkim::{Canonicalization, SignRequest, SigningKey, sign};
use landmarc_auth::lookup::{DnsName, Fault, Zones};
use landmarc_e2e::{Delivered, Envelope, HOST_NAME, Outcome, Postfix, PostfixConfig, Smtp};
use landmarc_mail::DomainName;
use landmarc_mail::message::{HeaderLimits, split};
use landmarc_testkit::dns_name;
use landmarc_testkit::dns_server::DnsServer;
use ring::rand::SystemRandom;

use crate::service::{Line, Service, Socket};

/// A client that the SPF records of [`DOMAINS`] allow.
pub(crate) const ALLOWED: &str = "192.0.2.7";
/// A client that they forbid.
pub(crate) const STRANGER: &str = "198.51.100.66";
/// What clients say in HELO; the name exists and has no SPF record.
pub(crate) const HELO: &str = "client.helo.example";
/// Where all mail goes.
pub(crate) const RECIPIENT: &str = "b@here.example";

/// Below which name of a domain the RSA key is, and the Ed25519 key.
pub(crate) const RSA: &str = "s1";
pub(crate) const ED25519: &str = "ed";

/// A key that is used nowhere else: PKCS#8, 2048 bits, base64.
const RSA_KEY: &str = include_str!("world_rsa_key.txt");

/// Domains with keys and an SPF record that ends in `-all`, and their DMARC record.
const DOMAINS: [(&str, &str); 6] = [
    ("reject.example", "v=DMARC1; p=reject"),
    ("quarantine.example", "v=DMARC1; p=quarantine"),
    ("sub.example", "v=DMARC1; p=none; sp=reject"),
    ("existing.example", "v=DMARC1; p=none; np=reject"),
    ("xn--bcher-kva.example", "v=DMARC1; p=reject"),
    ("plain.example", ""),
];

/// A domain for which DNS has nothing but SERVFAIL.
pub(crate) const BROKEN: &str = "broken.example";

/// What the DNS server of a test answers from.
pub(crate) fn zones() -> Zones {
    let mut zones = Zones::new();
    zones.add_name(dns_name(HELO));
    for (domain, dmarc) in DOMAINS {
        add_text(&mut zones, domain, "v=spf1 ip4:192.0.2.0/24 -all");
        for selector in [RSA, ED25519] {
            let name = format!("{selector}._domainkey.{domain}");
            add_text(&mut zones, &name, &signing_key(selector).dns_record());
        }
        if !dmarc.is_empty() {
            add_text(&mut zones, &format!("_dmarc.{domain}"), dmarc);
        }
    }
    add_text(&mut zones, "mail.sub.example", "v=spf1 -all");
    for name in [BROKEN, "_dmarc.broken.example", "s1._domainkey.broken.example"] {
        zones.set_others(dns_name(name), Fault::ServFail);
    }
    zones
}

/// Adds a TXT record.
pub(crate) fn add_text(zones: &mut Zones, name: &str, text: &str) {
    let name = DnsName::from_octets(name.as_bytes()).expect("a name of the tests");
    zones.add_txt(name, text.as_bytes());
}

/// The key of this selector.
pub(crate) fn signing_key(selector: &str) -> SigningKey {
    if selector == ED25519 {
        return SigningKey::from_ed25519_seed(&[42; 32]).expect("32 octets");
    }
    let der = BASE64.decode(RSA_KEY.replace('\n', "")).expect("base64");
    SigningKey::from_der(&der).expect("a private key")
}

/// The message of most tests: one that nobody would look at twice.
pub(crate) fn letter(from: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: {RECIPIENT}\r\nSubject: hello\r\n\
         Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@mail.example>\r\n\r\nhello\r\n.a dot\r\n"
    )
    .into_bytes()
}

/// How a message is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signer<'a> {
    pub(crate) domain: &'a str,
    /// [`RSA`] or [`ED25519`].
    pub(crate) selector: &'a str,
    /// Both halves of `c=`.
    pub(crate) canonicalization: Canonicalization,
    /// Fields to sign beside From and Subject.
    pub(crate) fields: &'a [&'a str],
}

impl<'a> Signer<'a> {
    /// As most of the world signs: RSA, relaxed/relaxed.
    pub(crate) fn relaxed(domain: &'a str) -> Self {
        Self {
            domain,
            selector: RSA,
            canonicalization: Canonicalization::Relaxed,
            fields: &[],
        }
    }

    /// The message with its signature on top.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let parsed = split(message, &HeaderLimits::default()).expect("a message");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let fields = [&["From", "Subject"], self.fields].concat();
        let request = SignRequest {
            domain: &DomainName::parse(self.domain).expect("a domain name"),
            selector: &DomainName::parse(self.selector).expect("a label"),
            key: &signing_key(self.selector),
            header_canon: self.canonicalization,
            body_canon: self.canonicalization,
            fields: &fields,
            now: now.expect("it is later than 1970").as_secs(),
            expires: None,
        };
        let field =
            sign(&parsed.header, &parsed.body, &request, &SystemRandom::new()).expect("it can be signed");
        [field.raw_name(), b":", field.value(), b"\r\n", message].concat()
    }
}

/// A letter of this author's domain, signed by it.
pub(crate) fn signed_letter(domain: &str) -> Vec<u8> {
    Signer::relaxed(domain).sign(&letter(&format!("a@{domain}")))
}

/// From this address to [`RECIPIENT`].
pub(crate) fn envelope(mail_from: &str) -> Envelope<'_> {
    Envelope {
        mail_from,
        parameters: "",
        rcpt_to: &[RECIPIENT],
    }
}

/// What a scene is made of.
pub(crate) struct Stage<'a> {
    pub(crate) socket: Socket,
    /// Lines with dotted keys; those that every scene needs are there already.
    pub(crate) settings: &'a str,
    /// What Postfix does with mail when the service is not there.
    pub(crate) default_action: &'a str,
}

/// Postfix, the service, and the DNS server it asks.
pub(crate) struct Scene {
    pub(crate) postfix: Postfix,
    pub(crate) service: Service,
    pub(crate) dns: DnsServer,
}

impl Scene {
    /// Over TCP, with Postfix deferring mail where the service is not there. `None` where
    /// the end-to-end tests cannot be run; the harness has said so.
    pub(crate) fn start(name: &str, settings: &str) -> Option<Self> {
        Self::start_on(
            name,
            &Stage {
                socket: Socket::Inet,
                settings,
                default_action: "tempfail",
            },
        )
    }

    pub(crate) fn start_on(name: &str, stage: &Stage<'_>) -> Option<Self> {
        Self::start_with(name, stage, |postfix| postfix)
    }

    /// The same with further settings of Postfix.
    pub(crate) fn start_with(
        name: &str,
        stage: &Stage<'_>,
        set: impl FnOnce(PostfixConfig) -> PostfixConfig,
    ) -> Option<Self> {
        let dns = DnsServer::start(zones());
        let service = Service::start(name, stage.socket, dns.addr(), stage.settings);
        let config = PostfixConfig::with_milters([service.milter()])
            .set("milter_default_action", stage.default_action);
        let config = set(config);
        let postfix = Postfix::start(&config).expect("Postfix starts")?;
        Some(Self {
            postfix,
            service,
            dns,
        })
    }

    /// A session of the client with this address.
    pub(crate) fn client(&self, address: &str) -> Smtp {
        self.client_with_helo(address, HELO)
    }

    pub(crate) fn client_with_helo(&self, address: &str, helo: &str) -> Smtp {
        let address: IpAddr = address.parse().expect("an address");
        let mut smtp = self.postfix.connect().expect("Postfix greets");
        smtp.ehlo("e2e.example").expect("EHLO is answered");
        let reply = smtp.as_client(address, None, helo).expect("XCLIENT is answered");
        assert_eq!(reply.code, 250, "{reply:?}");
        smtp
    }

    /// One message in a session of its own.
    pub(crate) fn send(&self, client: &str, mail_from: &str, message: &[u8]) -> Outcome {
        send(&mut self.client(client), &envelope(mail_from), message)
    }

    /// What the recipient got, and the line of the log.
    #[track_caller]
    pub(crate) fn delivered(&self, outcome: &Outcome) -> (Delivered, Line) {
        let queue_id = queue_id(outcome);
        let delivered = self.postfix.sink.wait_for(queue_id);
        let delivered = delivered.unwrap_or_else(|| panic!("{queue_id} was not delivered"));
        (delivered, self.service.message(queue_id))
    }
}

/// Sends one message in a session that goes on.
pub(crate) fn send(smtp: &mut Smtp, envelope: &Envelope<'_>, message: &[u8]) -> Outcome {
    smtp.send(envelope, message).expect("the session lasts")
}

/// The queue id of a message that was taken.
#[track_caller]
pub(crate) fn queue_id(outcome: &Outcome) -> &str {
    outcome
        .queue_id()
        .unwrap_or_else(|| panic!("refused: {:?}", outcome.last()))
}

/// The one Authentication-Results field in our name, unfolded, which must be the topmost
/// of all such fields.
#[track_caller]
pub(crate) fn results(delivered: &Delivered) -> String {
    let all = delivered.values("Authentication-Results");
    let ours: Vec<String> = all.iter().map(|value| unfolded(value)).collect();
    let top = ours
        .first()
        .unwrap_or_else(|| panic!("no results: {:?}", delivered.fields()));
    assert!(top.starts_with(&format!("{HOST_NAME};")), "{ours:?}");
    top.clone()
}

/// White space as one blank, folds among it.
pub(crate) fn unfolded(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}
