//! One client floods the service with names that do not answer: the policies of others are found.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::wait_for;
use landmarc_testkit::{dns_name, txt_zones};

use super::client::Api;
use super::{ANY_API, request};
use crate::service::{Service, Socket};

const CONNECTIONS: usize = 30;
const FLOODER: &str = "192.0.2.66";
const OTHER: &str = "198.51.100.7";

/// Verdict and DMARC result of a message without signatures that works.
fn check(api: &Api, client: &str, mail_from: &str, header: &str) -> (String, String) {
    let message = format!("{header}To: v@example.net\r\n\r\nb\r\n");
    let reply = api.ask(&request(client, mail_from, "4Fb1"), message.as_bytes());
    assert_eq!(reply.code, 200, "{}", reply.body);
    let answer: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (word(&answer["verdict"]), word(&answer["dmarc"]["result"]))
}

/// Ten keys and an SPF record that nobody answers for.
fn flood(api: &Api, connection: usize, message: usize) {
    let name = |number: usize| format!("x{connection}-{message}-{number}.silent.test");
    let signature = |number| {
        format!(
            "DKIM-Signature: v=1; a=rsa-sha256; d={}; s=s; h=from; \
             bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\n",
            name(number)
        )
    };
    let signatures: String = (0..10).map(signature).collect();
    let header = format!("{signatures}From: a@plain.test\r\n");
    check(api, FLOODER, &format!("x@{}", name(10)), &header);
}

#[test]
fn no_spoof_is_accepted_while_a_client_floods_the_service_with_silent_names() {
    let dns = DnsServer::start(txt_zones(&[("_dmarc.slow.test", "v=DMARC1; p=reject")]));
    dns.set_delay_below(dns_name("silent.test"), None);
    dns.set_delay_below(dns_name("slow.test"), Some(Duration::from_millis(400)));
    let settings = format!("{ANY_API}mode = \"enforce\"\nclients.trusted_networks = []\n");
    let service = Service::start("api-flood", Socket::Inet, dns.addr(), &settings);
    let api = Api::of(&service);
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (api, stop, sent) = (&api, &stop, &sent);
            scope.spawn(move || {
                for message in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    flood(api, connection, message);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // All slots for keys and SPF are taken by then.
        let is_flooded = wait_for(|| (sent.load(Ordering::Relaxed) > CONNECTIONS).then_some(()));
        let spoofs: Vec<_> = (0..5)
            .map(|number| {
                // A name that is made up for each message is in no cache.
                let spoof = |client, side| {
                    let header = format!("From: ceo@{side}{number}.slow.test\r\n");
                    check(&api, client, "x@plain.test", &header)
                };
                (spoof(OTHER, 'a'), spoof(FLOODER, 'b'))
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        assert!(is_flooded.is_some(), "the flood did not begin");
        for (by_other, by_flooder) in spoofs {
            assert_eq!(by_other.1, "fail", "{by_other:?}");
            assert_ne!(by_other.0, "accept", "{by_other:?}");
            assert_ne!(by_flooder.0, "accept", "{by_flooder:?}");
        }
    });
}
