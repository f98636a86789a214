//! The corpus through the chain: what SPF and DKIM came to is what the first two filters say.

use std::collections::BTreeSet;

use landmarc_auth::lookup::Question;
use landmarc_e2e::{HOST_NAME, Outcome};
use landmarc_testkit::dns_server::DnsServer;

use super::{Chain, THIRD, spf_and_keys};
use crate::interfaces::corpus::{
    self, Answer, Case, HoldingInterface, Interface, SmtpInterface, found_as_expected,
};
use crate::service::Service;
use crate::world::queue_id;

/// What SPF and DKIM are found to be by others leads to the same as what we find ourselves, as we check what
/// they leave out: pyspf-milter goes by the host name of the client, and not by its HELO name.
#[test]
fn corpus_is_judged_alike_behind_two_other_filters() {
    let settings = corpus::SETTINGS.replace(corpus::AUTHSERV_ID, HOST_NAME);
    let third = THIRD.replace("upstream", "upstream-then-self");
    let settings = format!("{third}{settings}{}", corpus::HOLDING);
    let Some(chain) = Chain::start_in(corpus::zones(), "corpus-chain", &settings, "") else {
        return;
    };
    let mut interface = Watched {
        interface: HoldingInterface {
            smtp: SmtpInterface {
                service: &chain.service,
                address: chain.postfix.address(),
            },
            is_held: |outcome: &Outcome| chain.postfix.holds(queue_id(outcome)),
        },
        dns: &chain.own_dns,
        asked: Vec::new(),
    };
    found_as_expected(&mut interface);
    // Whatever landmarc finds by itself it has to ask for, once at least: these and nothing else.
    let own: BTreeSet<(&str, &str)> = interface
        .asked
        .iter()
        .map(|(case, name)| (case.split('/').next().unwrap(), name.as_str()))
        .collect();
    let expected = [
        ("null-sender", "client.helo.example"),
        ("sealed-by-a-friend", "ed._domainkey.sealer.example"),
        ("sealed-by-a-stranger", "ed._domainkey.other-sealer.example"),
        ("spf-by-helo", "reject.example"),
    ];
    assert_eq!(own, expected.into());
}

/// An interface, and what landmarc itself looks up about SPF and keys.
struct Watched<'a, D> {
    interface: D,
    dns: &'a DnsServer,
    /// The name of a case, and a name that was asked for in it.
    asked: Vec<(String, String)>,
}

impl<D: Interface> Interface for Watched<'_, D> {
    fn service(&self) -> &Service {
        self.interface.service()
    }

    fn send(&mut self, case: &Case) -> Answer {
        let before = self.dns.log().len();
        let answer = self.interface.send(case);
        let asked: Vec<Question> = self.dns.log().into_iter().skip(before).collect();
        let names = spf_and_keys(&asked).into_iter();
        self.asked.extend(names.map(|name| (case.name.clone(), name)));
        answer
    }

    fn tells_what_is_held(&self) -> bool {
        self.interface.tells_what_is_held()
    }
}
