//! From settings to the values that each crate takes.

pub mod operator;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_dns::resolver::ResolverOptions;
use landmarc_mail::message::HeaderLimits;
use landmarc_milter::ServerOptions;
use landmarc_receiver::keys_share;
use landmarc_receiver::policy::{
    ClientFacts, FailureTable, OnFailure, QuarantineBy, ReplyCodes, ReplyTemplate, Rules, Upstream,
};
use landmarc_settings::keys::{self, Authentication, FailureResponse};
use landmarc_settings::{IpNetwork, Placeholder, ReplyText, Settings};

/// The operator's decisions as the receiver takes them, but for the rules that are in a file of
/// their own ([`operator::for_receiver`]).
pub fn rules(settings: &Settings, suffixes: Arc<Suffixes>) -> Rules {
    Rules {
        mode: settings.mode,
        authserv_id: settings
            .authserv_id
            .as_ref()
            .map_or_else(host_name, |id| id.as_str().to_owned()),
        authserv_id_with_job_id: settings.authserv_id_with_job_id,
        upstream: upstream(&settings.authentication),
        header_limits: HeaderLimits {
            section_octets: settings.limits.header_section.as_usize(),
            field_octets: settings.limits.header_field.as_usize(),
            fields: settings.limits.header_fields,
        },
        check_helo: settings.spf.helo_check,
        fetch_explanation: settings.spf.fetch_explanation,
        dkim: dkim(settings),
        arc: settings.arc.validate,
        trusted_sealers: settings.arc.trusted_sealers.clone(),
        discovery: settings.dmarc.discovery,
        compare_rfc7489: settings.dmarc.compare_rfc7489,
        dmarc: landmarc_dmarc::evaluation::EvaluationOptions {
            unmarked_suffix_guard: settings.dmarc.unmarked_suffix_guard,
            pct_zero_as_test: settings.dmarc.pct_zero_as_test,
        },
        suffixes,
        operator: Arc::from([]),
        reject: settings.action.reject,
        reject_text: wording(&settings.action.reject_text),
        reject_codes: ReplyCodes {
            basic: settings.action.reject_code,
            enhanced: settings.action.reject_enhanced.to_string(),
        },
        quarantine: match settings.action.quarantine {
            keys::Quarantine::Hold => QuarantineBy::Hold,
            keys::Quarantine::Header => {
                QuarantineBy::Header(settings.action.quarantine_header.as_str().to_owned())
            }
        },
        quarantine_text: wording(&settings.action.quarantine_text),
        unusable_author: settings.action.unusable_author,
        unusable_author_text: wording(&settings.action.unusable_author_text),
        required_header_fields: settings.action.required_header_fields,
        local_domains: settings.action.local_domains.clone(),
        recognise_lists: settings.action.mailing_lists,
        failures: FailureTable {
            dns: on_failure(&settings.failures.dns),
            dns_with_policy: on_failure(&settings.failures.dns_with_policy),
            unusable_record: on_failure(&settings.failures.unusable_record),
            budget: on_failure(&settings.failures.budget),
            store: on_failure(&settings.failures.store),
            internal: on_failure(&settings.failures.internal),
        },
        remove_all_results: settings.clients.remove_all_results,
    }
}

fn upstream(authentication: &Authentication) -> Upstream {
    let trusted = authentication.trusted_authserv_ids.iter();
    Upstream {
        spf: authentication.spf,
        dkim: authentication.dkim,
        arc: authentication.arc,
        trusted_authserv_ids: trusted.map(|id| id.as_str().to_owned()).collect(),
        received_spf: authentication.received_spf,
    }
}

fn dkim(settings: &Settings) -> landmarc_auth::dkim::DkimOptions {
    let dkim = &settings.dkim;
    landmarc_auth::dkim::DkimOptions {
        max_signatures: dkim
            .max_signatures
            .min(keys_share(settings.dns.questions_per_message)),
        min_rsa_bits: u32::try_from(dkim.min_rsa_bits).unwrap_or(u32::MAX),
        max_rsa_bits: u32::try_from(dkim.max_rsa_bits).unwrap_or(u32::MAX),
        accept_body_length: dkim.accept_body_length,
        accept_testing_keys: dkim.accept_testing_keys,
        clock_skew: dkim.clock_skew.as_secs(),
        refused_domains: dkim.refused_domains.clone(),
    }
}

fn on_failure(failure: &FailureResponse) -> OnFailure {
    match failure.action {
        keys::FailureAction::Accept => OnFailure::Accept,
        keys::FailureAction::Tempfail => OnFailure::TempFail {
            code: failure.code,
            enhanced: failure.enhanced.to_string(),
            text: wording(&failure.text),
        },
    }
}

fn wording(text: &ReplyText) -> ReplyTemplate {
    let text = text.clone();
    ReplyTemplate::new(move |blanks| {
        let client = blanks
            .client
            .map_or_else(|| "unknown".to_owned(), |client| client.to_string());
        text.fill(|placeholder| match placeholder {
            Placeholder::AuthorDomain => blanks.author_domain,
            Placeholder::PolicyDomain => blanks.policy_domain,
            Placeholder::Reason => blanks.reason,
            Placeholder::Client => &client,
            Placeholder::Id => blanks.id,
        })
    })
}

/// What this host calls itself where it has no name: a token at least.
const NAMELESS: &str = "localhost";

/// What this host calls itself, as a domain name in lower case.
pub fn host_name() -> String {
    let name = Some(system_name().to_ascii_lowercase());
    name.filter(|name| landmarc_mail::DomainName::parse(name).is_ok())
        .unwrap_or_else(|| NAMELESS.to_owned())
}

/// What the system calls itself, in whatever form.
pub fn system_name() -> String {
    let name = nix::unistd::gethostname().ok();
    let name = name.and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| NAMELESS.to_owned())
}

/// How DNS is asked.
pub fn resolver_options(settings: &Settings) -> ResolverOptions {
    ResolverOptions {
        name_servers: settings.dns.name_servers.iter().map(|server| server.0).collect(),
        question_timeout: settings.dns.question_timeout,
        message_timeout: settings.dns.message_timeout,
        questions_in_flight: settings.dns.questions_in_flight,
        cache_entries: settings.dns.cache_entries,
        failure_ttl: settings.dns.failure_ttl,
        ..ResolverOptions::default()
    }
}

/// How the milter server behaves.
pub fn server_options(settings: &Settings) -> ServerOptions {
    ServerOptions {
        max_sessions: settings.milter.max_sessions,
        stall_timeout: settings.milter.stall_timeout,
        idle_timeout: settings.milter.idle_timeout,
        shutdown_grace: settings.server.shutdown_grace,
        header_limit: u32::try_from(settings.limits.header_section.as_usize()).unwrap_or(u32::MAX),
        progress_interval: Duration::from_secs(5),
        ..ServerOptions::default()
    }
}

/// What the operator's lists say of a client.
pub fn client_facts(settings: &Settings, client: Option<IpAddr>) -> ClientFacts {
    let listed =
        |networks: &[IpNetwork]| client.is_some_and(|ip| networks.iter().any(|net| net.contains(ip)));
    ClientFacts {
        trusted_forwarder: listed(&settings.action.trusted_forwarders),
        keeps_results: listed(&settings.clients.trusted_relays_keep_results),
    }
}

#[cfg(test)]
mod tests {
    use landmarc_dmarc::evaluation::DiscoveryMethod;
    use landmarc_receiver::policy::{
        ArcUse, EnforcementMode, RejectRule, ResultSource, TemplateVars, UnusableAuthor,
    };

    use super::*;

    fn read(text: &str) -> Settings {
        landmarc_settings::read(text).unwrap().0
    }

    fn rules_of(text: &str) -> Rules {
        rules(&read(text), Arc::new(Suffixes::built_in()))
    }

    /// Decisions D33 and D6: out of the box nothing is refused and no mail is lost.
    #[test]
    fn the_defaults_observe_and_defer_only_what_a_sender_can_bring_about() {
        let rules = rules_of("");
        assert_eq!(rules.mode, EnforcementMode::Observe);
        assert_eq!(rules.reject, RejectRule::Evidence);
        let failures = &rules.failures;
        for failure in [
            &failures.dns,
            &failures.unusable_record,
            &failures.store,
            &failures.internal,
        ] {
            assert!(matches!(failure, OnFailure::Accept));
        }
        for failure in [&failures.dns_with_policy, &failures.budget] {
            assert!(matches!(failure, OnFailure::TempFail { code: 451, .. }));
        }
    }

    #[test]
    fn the_words_of_the_settings_become_those_of_the_receiver() {
        let rules = rules_of(
            "mode = \"enforce\"\nauthserv_id = \"mx.example\"\n\
             [arc]\nvalidate = \"never\"\n[dmarc]\ndiscovery = \"psl\"\n\
             [action]\nreject = \"never\"\nquarantine = \"header\"\nunusable_author = \"accept\"\n\
             [limits]\nheader_fields = 123\n",
        );
        assert_eq!(rules.mode, EnforcementMode::Enforce);
        assert_eq!(rules.authserv_id, "mx.example");
        assert_eq!(rules.arc, ArcUse::Never);
        assert_eq!(rules.discovery, DiscoveryMethod::Psl);
        assert_eq!(rules.reject, RejectRule::Never);
        let header = QuarantineBy::Header("DMARC-Quarantine".to_owned());
        assert_eq!(rules.quarantine, header);
        assert_eq!(rules.unusable_author, UnusableAuthor::Accept);
        assert_eq!(rules.header_limits.fields, 123);
    }

    /// P28, P29, P33: each mechanism has its source, and out of the box that is this program (D9).
    #[test]
    fn p28_p29_p33_results_come_from_where_the_settings_say() {
        assert_eq!(rules_of("").upstream, Upstream::default());
        assert!(!rules_of("").upstream.is_used());
        let rules = rules_of(
            "[authentication]\nspf = \"upstream\"\ndkim = \"upstream-then-self\"\n\
             trusted_authserv_ids = [\"spf.example\"]\nreceived_spf = true\n",
        );
        let expected = Upstream {
            spf: ResultSource::Upstream,
            dkim: ResultSource::UpstreamThenOwn,
            arc: ResultSource::Own,
            trusted_authserv_ids: vec!["spf.example".to_owned()],
            received_spf: true,
        };
        assert_eq!(rules.upstream, expected);
    }

    /// P2, P25
    #[test]
    fn p2_p25_what_opendmarc_could_is_off_until_it_is_asked_for() {
        let rules = rules_of("");
        assert!(!rules.authserv_id_with_job_id && !rules.required_header_fields);
        let rules = rules_of("authserv_id_with_job_id = true\n[action]\nrequired_header_fields = true\n");
        assert!(rules.authserv_id_with_job_id && rules.required_header_fields);
    }

    #[test]
    fn a_tempfail_has_its_code_and_its_words() {
        let rules = rules_of(
            "[failures.dns]\naction = \"tempfail\"\ncode = 450\n\
             text = \"{author_domain} {policy_domain} {client} {reason} {id}\"\n",
        );
        let OnFailure::TempFail { code, enhanced, text } = &rules.failures.dns else {
            panic!("{:?}", rules.failures.dns);
        };
        assert_eq!((*code, enhanced.as_str()), (450, "4.7.1"));
        let blanks = TemplateVars {
            author_domain: "mail.example.com",
            policy_domain: "example.com",
            client: Some(IpAddr::from([192, 0, 2, 7])),
            reason: "no answer",
            id: "4Fb1",
        };
        assert_eq!(
            text.fill(&blanks),
            "mail.example.com example.com 192.0.2.7 no answer 4Fb1"
        );
        let of_nobody = TemplateVars {
            client: None,
            ..blanks
        };
        assert!(text.fill(&of_nobody).contains(" unknown "));
    }

    /// P41, RejectString: a refusal has the operator's codes.
    #[test]
    fn p41_a_refusal_has_its_codes() {
        let codes = rules_of("").reject_codes;
        assert_eq!((codes.basic, codes.enhanced.as_str()), (550, "5.7.1"));
        let codes = rules_of("[action]\nreject_code = 554\nreject_enhanced = \"5.7.26\"\n").reject_codes;
        assert_eq!((codes.basic, codes.enhanced.as_str()), (554, "5.7.26"));
    }

    #[test]
    fn clients_are_found_in_the_lists_that_name_them() {
        let settings = read("[action]\ntrusted_forwarders = [\"192.0.2.0/24\"]\n");
        let facts = |ip: &str| client_facts(&settings, ip.parse().ok());
        assert!(facts("192.0.2.7").trusted_forwarder);
        assert!(!facts("192.0.2.7").keeps_results);
        assert!(!facts("198.51.100.7").trusted_forwarder);
        assert_eq!(client_facts(&settings, None), ClientFacts::default());
    }
}
