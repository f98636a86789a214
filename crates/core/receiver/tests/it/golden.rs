//! Golden texts: the explanation, the Authentication-Results field and the cause of ten outcomes,
//! as a postmaster reads them.

use crate::properties::always_holds;
use crate::scenario::Given;

/// The longest line of an explanation that is not a foreign text quoted.
const LINE: usize = 110;

#[track_caller]
fn told(name: &str, given: &str) {
    let given = Given::read(given);
    let judgement = given.judge();
    always_holds(&judgement, &given.rules, name);
    let explanation = landmarc_receiver::explanation::explain(&judgement);
    for line in explanation.lines() {
        assert!(
            line.len() <= LINE || line.trim().split(' ').count() == 1,
            "{name}: {} octets: {line}",
            line.len()
        );
    }
    let field = &judgement.authentication_results;
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, format!("{explanation}\n--------\nAuthentication-Results:{field}\n"));
    });
}

#[test]
fn pass_by_dkim() {
    told(
        "pass_by_dkim",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"
        client 192.0.2.7
        mail   <bounce@news.example.net>
        zone   news.example.net TXT "v=spf1 ip4:192.0.2.0/24 -all"
        from   Ann <ann@example.com>
        signed by d=example.com s=s1
        "#,
    );
}

#[test]
fn pass_by_spf_only() {
    told(
        "pass_by_spf_only",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=quarantine"
        zone   bounce.example.com TXT "v=spf1 include:_spf.example.com -all"
        zone   _spf.example.com TXT "v=spf1 ip4:192.0.2.0/24"
        mail   <b@bounce.example.com>
        from   Ann <ann@example.com>
        "#,
    );
}

#[test]
fn spoof_refused() {
    told(
        "spoof_refused",
        r#"
        zone   _dmarc.bank.example TXT "v=DMARC1; p=reject"
        zone   bank.example TXT "v=spf1 ip4:203.0.113.0/24 -all"
        client 198.51.100.66
        helo   pool.invalid.example
        mail   <ceo@bank.example>
        from   The Bank <ceo@bank.example>
        "#,
    );
}

#[test]
fn unsigned_mail_of_a_domain_that_signs_everything() {
    told(
        "unsigned_mail_of_a_domain_that_signs_everything",
        r#"
        zone   _dmarc.bank.example TXT "v=DMARC1; p=reject"
        zone   spammer.example TXT "v=spf1 ip4:203.0.113.0/24 -all"
        client 203.0.113.66
        mail   <x@spammer.example>
        from   The Bank <ceo@bank.example>
        header List-Id: News <news.lists.example>
        header DKIM-Signature: foo
        seen   signing bank.example 4212 3
        seen   spoofer 203.0.113.1 5
        "#,
    );
}

#[test]
fn spared_by_a_forwarder_that_is_known() {
    told(
        "spared_by_a_forwarder_that_is_known",
        r#"
        zone   _dmarc.bank.example TXT "v=DMARC1; p=reject"
        zone   alumni.example TXT "v=spf1 ip4:203.0.113.0/24 -all"
        client 203.0.113.66
        mail   <srs0=x@alumni.example>
        from   The Bank <ceo@bank.example>
        seen   signing bank.example 4212 3
        seen   forwarder 203.0.113.1
        "#,
    );
}

#[test]
fn a_store_that_is_too_young() {
    told(
        "a_store_that_is_too_young",
        r#"
        zone   _dmarc.bank.example TXT "v=DMARC1; p=reject"
        from   The Bank <ceo@bank.example>
        seen   young 3
        "#,
    );
}

#[test]
fn fail_under_p_none() {
    told(
        "fail_under_p_none",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:dmarc@example.com"
        zone   example.com TXT "v=spf1 mx ~all"
        zone   example.com MX mail.example.com
        zone   mail.example.com A 203.0.113.5
        mail   <ann@example.com>
        from   Ann <ann@example.com>
        "#,
    );
}

#[test]
fn quarantined_for_want_of_evidence() {
    told(
        "quarantined_for_want_of_evidence",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=reject"
        zone   mailer.example.net TXT "v=spf1 ip4:192.0.2.0/24 -all"
        mail   <bounce@mailer.example.net>
        from   Ann <ann@example.com>
        signed by d=mailer.example.net s=m
        "#,
    );
}

#[test]
fn subdomain_that_does_not_exist() {
    told(
        "subdomain_that_does_not_exist",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=none; np=reject"
        from   Support <help@login.example.com>
        "#,
    );
}

#[test]
fn dns_failure() {
    told(
        "dns_failure",
        r#"
        zone   _dmarc.example.com TXT TIMEOUT
        zone   example.com TXT SERVFAIL
        mail   <ann@example.com>
        from   Ann <ann@example.com>
        rules  tempfail dns
        "#,
    );
}

#[test]
fn unusable_record() {
    told(
        "unusable_record",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=rejct"
        from   Ann <ann@example.com>
        "#,
    );
}

#[test]
fn no_record() {
    told(
        "no_record",
        r#"
        zone   example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"
        mail   <ann@news.example.com>
        zone   news.example.com TXT "v=spf1 redirect=example.com"
        from   Ann <ann@news.example.com>
        "#,
    );
}

#[test]
fn several_author_domains() {
    told(
        "several_author_domains",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=none"
        zone   _dmarc.bank.example TXT "v=DMARC1; p=quarantine"
        from   Ann <ann@example.com>, The Bank <ceo@bank.example>
        signed by d=example.com s=s1
        "#,
    );
}

#[test]
fn broken_from() {
    told(
        "broken_from",
        r#"
        from   ceo@bank.example
        from   x@evil.example
        signed by d=evil.example s=s1
        "#,
    );
}

#[test]
fn mailing_list_with_a_footer() {
    told(
        "mailing_list_with_a_footer",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=reject"
        zone   lists.example.org TXT "v=spf1 ip4:192.0.2.0/24 -all"
        mail   <talk-bounces@lists.example.org>
        from   Ann <ann@example.com>
        header Subject: [talk] Hello
        signed by d=example.com s=s1
        body   Text and a footer
        header List-Id: Talk <talk.lists.example.org>
        signed by d=lists.example.org s=l
        "#,
    );
}

#[test]
fn forwarded_by_a_trusted_sealer() {
    told(
        "forwarded_by_a_trusted_sealer",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=reject"
        zone   example.com TXT "v=spf1 -all"
        mail   <ann@example.com>
        from   Ann <ann@example.com>
        sealed by d=forward.example s=f claiming mx.forward.example; dmarc=pass header.from=example.com
        rules  trusted_sealers forward.example
        "#,
    );
}

#[test]
fn test_mode_while_observing() {
    told(
        "test_mode_while_observing",
        r#"
        zone   _dmarc.example.com TXT "v=DMARC1; p=reject; t=y"
        mail   <>
        helo   mx.example.net
        zone   mx.example.net TXT "v=spf1 a -all"
        zone   mx.example.net A 192.0.2.1
        from   Ann <ann@example.com>
        rules  mode observe
        "#,
    );
}
