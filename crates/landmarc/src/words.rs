//! What is going to happen to mail, in plain words (decision D33).

use landmarc_net::SocketAddress;
use landmarc_receiver::policy::{EnforcementMode, QuarantineBy, RejectRule, ReplyCodes, Rules};

/// What the mode means for mail that fails, in a few lines.
pub(crate) fn in_plain_words(rules: &Rules) -> Vec<String> {
    let version = env!("CARGO_PKG_VERSION");
    let enforced = what_enforcing_does(rules);
    let mut lines = match rules.mode {
        EnforcementMode::Observe => vec![
            format!("landmarc {version} observes: mail is judged and marked; nothing is refused or held"),
            "a message that fails DMARC under p=reject is delivered, marked dmarc=fail".to_owned(),
            format!("with mode = \"enforce\" it would be {enforced}"),
        ],
        EnforcementMode::Enforce => vec![
            format!("landmarc {version} enforces DMARC policies"),
            format!("a message that fails DMARC under p=reject is {enforced}"),
        ],
    };
    let count = rules.operator.len();
    if count > 0 {
        lines.push(format!(
            "unless a rule of this server decides; rules: {count} (landmarc rules list)"
        ));
    }
    lines
}

fn what_enforcing_does(rules: &Rules) -> String {
    let set_aside = match &rules.quarantine {
        QuarantineBy::Hold => "held by the mail server".to_owned(),
        QuarantineBy::Header(name) => format!("delivered with a {name} header field"),
    };
    let ReplyCodes { basic, enhanced } = &rules.reject_codes;
    match rules.reject {
        RejectRule::Evidence => format!(
            "refused ({basic} {enhanced}) when there is further evidence that it is forged, else {set_aside}"
        ),
        RejectRule::Always => format!("refused ({basic} {enhanced}), whatever else is known of it"),
        RejectRule::Never => set_aside,
    }
}

/// The socket as Postfix spells it: `inet:host:port` or `unix:path`.
pub(crate) fn for_postfix(socket: &SocketAddress) -> String {
    match socket {
        SocketAddress::Unix(path) => format!("unix:{}", path.display()),
        SocketAddress::Inet { host, port, .. } => match host.as_deref() {
            Some(host) if host.contains(':') => format!("inet:[{host}]:{port}"),
            // Listening everywhere includes the host that Postfix most likely runs on.
            None | Some("0.0.0.0") => format!("inet:127.0.0.1:{port}"),
            Some(host) => format!("inet:{host}:{port}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let (settings, _) = landmarc_settings::read(text).unwrap();
        let suffixes = std::sync::Arc::new(landmarc_dmarc::suffixes::Suffixes::built_in());
        in_plain_words(&landmarc_runtime::rules::rules(&settings, suffixes)).join("\n")
    }

    #[test]
    fn observing_says_what_is_done_and_what_would_be() {
        insta::assert_snapshot!(words("").replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
        landmarc VERSION observes: mail is judged and marked; nothing is refused or held
        a message that fails DMARC under p=reject is delivered, marked dmarc=fail
        with mode = "enforce" it would be refused (550 5.7.1) when there is further evidence that it is forged, else delivered with a DMARC-Quarantine header field
        "#);
    }

    #[test]
    fn enforcing_says_what_the_action_table_makes_of_it() {
        let fate = |action: &str| {
            let words = words(&format!("mode = \"enforce\"\n[action]\n{action}\n"));
            words.lines().last().unwrap_or_default().to_owned()
        };
        insta::assert_snapshot!(
            fate("reject = \"always\""),
            @"a message that fails DMARC under p=reject is refused (550 5.7.1), whatever else is known of it"
        );
        insta::assert_snapshot!(
            fate("reject = \"never\"\nquarantine = \"header\""),
            @"a message that fails DMARC under p=reject is delivered with a DMARC-Quarantine header field"
        );
    }

    #[test]
    fn rules_of_the_operator_are_counted() {
        let (settings, _) = landmarc_settings::read("").unwrap();
        let suffixes = std::sync::Arc::new(landmarc_dmarc::suffixes::Suffixes::built_in());
        let (operator, _) = landmarc_settings::rules::read(
            "[[rule]]\nname = \"r\"\nclient = [\"::1\"]\naction = \"accept\"\nreason = \"x\"\nowner = \"x\"\n",
        )
        .unwrap();
        let rules = Rules {
            operator: landmarc_runtime::rules::operator::for_receiver(&operator),
            ..landmarc_runtime::rules::rules(&settings, suffixes)
        };
        assert_eq!(
            in_plain_words(&rules).last().map(String::as_str),
            Some("unless a rule of this server decides; rules: 1 (landmarc rules list)")
        );
    }

    #[test]
    fn sockets_are_spelled_as_postfix_does() {
        let spell = |text: &str| for_postfix(&text.parse().unwrap());
        assert_eq!(spell("inet:8894@127.0.0.1"), "inet:127.0.0.1:8894");
        assert_eq!(spell("inet6:8894@::1"), "inet:[::1]:8894");
        assert_eq!(spell("inet:8894"), "inet:127.0.0.1:8894");
        assert_eq!(
            spell("/run/landmarc/milter.sock"),
            "unix:/run/landmarc/milter.sock"
        );
    }
}
