//! Rules of the operator: each condition on both sides, the order of rules, what they do to the
//! action and to reports. Whole messages are in `tests/scenarios/rules.txt`.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use landmarc_auth::arc::ArcStatus;
use landmarc_mail::DomainName;
use landmarc_receiver::Judgement;
use landmarc_receiver::action::{Effect, SmtpAction};
use landmarc_receiver::disposition::OverrideKind;
use landmarc_receiver::operator::{Check, MessageFacts, select};
use landmarc_receiver::rule::{
    Condition, MAX_RECIPIENTS, NamePattern, RecipientPattern, ResultWord, Rule, RuleAction, RuleConditions,
};
use landmarc_testkit::message::NOW;

use crate::scenario::Given;

/// Reads `NAME ACTION KEY=VALUE,VALUE ...`: the conditions by the names they have in the file of
/// the rules, `client` from lowest to highest address as `LOW-HIGH`, `ends` in seconds from now.
/// A rule is for `result=fail` unless it says otherwise.
pub(crate) fn rule(text: &str) -> Rule {
    let mut words = text.split_whitespace();
    let name = words.next().expect("a name").to_owned();
    let action = match words.next().expect("an action") {
        "accept" => RuleAction::Accept,
        "quarantine" => RuleAction::Quarantine,
        "reject" => RuleAction::Reject,
        other => unreachable!("no action is {other:?}"),
    };
    let mut rule = Rule {
        conditions: RuleConditions {
            result: vec![ResultWord::Fail],
            ..RuleConditions::default()
        },
        action,
        kind: OverrideKind::LocalPolicy,
        reason: format!("the reason of {name}"),
        owner: "anna".to_owned(),
        ends: None,
        name,
    };
    for word in words {
        let (key, value) = word.split_once('=').expect("key=value");
        set(&mut rule, key, value);
    }
    rule
}

fn set(rule: &mut Rule, key: &str, value: &str) {
    let entries = || value.split(',');
    let names = || entries().map(name_pattern).collect::<Vec<_>>();
    let conditions = &mut rule.conditions;
    match key {
        "author_domain" => conditions.author_domain = names(),
        "dkim_domain" => conditions.dkim_domain = names(),
        "client" => conditions.client = entries().map(range).collect(),
        "client_name" => conditions.client_name = names(),
        "list_id" => conditions.list_id = names(),
        "arc_sealer" => conditions.arc_sealer = names(),
        "recipient" => conditions.recipient = entries().map(recipient).collect(),
        "result" => conditions.result = entries().map(result).collect(),
        "ends" => {
            let seconds: i64 = value.parse().expect("seconds");
            rule.ends = Some(NOW.saturating_add_signed(seconds));
        }
        "override" => {
            rule.kind = match value {
                "mailing_list" => OverrideKind::MailingList,
                "trusted_forwarder" => OverrideKind::TrustedForwarder,
                "other" => OverrideKind::Other,
                _ => unreachable!("no override is {value:?}"),
            }
        }
        _ => unreachable!("nothing of a rule is called {key:?}"),
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).expect("a name")
}

fn name_pattern(text: &str) -> NamePattern {
    match text.strip_prefix("*.") {
        Some(base) => NamePattern::Below(name(base)),
        None => NamePattern::Exactly(name(text)),
    }
}

fn recipient(text: &str) -> RecipientPattern {
    match text.split_once('@') {
        Some((local, domain)) => RecipientPattern::Address {
            local_part: local.to_owned(),
            domain: name(domain),
        },
        None => RecipientPattern::Domain(name_pattern(text)),
    }
}

fn range(text: &str) -> RangeInclusive<IpAddr> {
    let address = |text: &str| text.parse().expect("an address");
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    address(low)..=address(high)
}

fn result(word: &str) -> ResultWord {
    let all = [
        ResultWord::None,
        ResultWord::Pass,
        ResultWord::Fail,
        ResultWord::TempError,
        ResultWord::PermError,
    ];
    all.into_iter()
        .find(|result| result.as_str() == word)
        .expect("a result")
}

/// A message of which something can be said by every condition.
const MESSAGE: &str = r#"
    zone   _dmarc.acme.example TXT "v=DMARC1; p=reject"
    client 192.0.2.7
    name   mx.out.example
    rcpt   postmaster@example.org
    rcpt   Ann@example.org
    from   News <news@acme.example>
    header List-Id: News <news.list.example>
    signed by d=esp.example s=s1
    sealed by d=lists.example s=a claiming mx.lists.example; dmarc=pass header.from=acme.example
    rules  arc always
"#;

#[track_caller]
fn judged(more: &str) -> Judgement {
    Given::read(&format!("{MESSAGE}{more}")).judge()
}

#[test]
fn each_condition_holds_and_fails_and_is_named() {
    let judgement = judged("");
    assert_eq!(judgement.arc.status.as_str(), "pass");
    let facts = MessageFacts::of(&judgement, NOW);
    for (condition, key, holding, failing) in [
        (
            Condition::Result,
            "result",
            "none,fail",
            "none,pass,temperror,permerror",
        ),
        (
            Condition::AuthorDomain,
            "author_domain",
            "x.example,acme.example",
            "*.acme.example,example",
        ),
        (Condition::DkimDomain, "dkim_domain", "*.example", "*.esp.example"),
        (
            Condition::Client,
            "client",
            "192.0.2.0-192.0.2.7",
            "192.0.2.8-192.0.2.255,::-ffff::",
        ),
        (
            Condition::ClientName,
            "client_name",
            "*.out.example",
            "out.example",
        ),
        (Condition::ListId, "list_id", "news.list.example", "list.example"),
        (Condition::ArcSealer, "arc_sealer", "lists.example", "esp.example"),
        (
            Condition::Recipient,
            "recipient",
            "example.org",
            "postmaster@example.org",
        ),
        (
            Condition::Recipient,
            "recipient",
            "POSTMASTER@example.org,ann@example.org",
            "*.org.example",
        ),
        (Condition::Expires, "ends", "1", "0"),
    ] {
        assert_eq!(condition.as_str(), if key == "ends" { "expires" } else { key });
        let check = |value: &str| rule(&format!("r accept {key}={value}")).check(&facts);
        assert_eq!(check(holding), Check::Holds, "{key}={holding}");
        assert_eq!(check(failing), Check::Fails(condition), "{key}={failing}");
    }
}

#[test]
fn all_conditions_must_hold_and_the_first_that_does_not_is_told() {
    let judgement = judged("");
    let facts = MessageFacts::of(&judgement, NOW);
    let all = "r accept author_domain=acme.example dkim_domain=esp.example client=192.0.2.7 \
               client_name=mx.out.example list_id=news.list.example arc_sealer=lists.example \
               recipient=example.org ends=1";
    assert_eq!(rule(all).check(&facts), Check::Holds);
    let two_fail = all.replace("192.0.2.7", "192.0.2.8").replace("esp.", "no.");
    assert_eq!(rule(&two_fail).check(&facts), Check::Fails(Condition::DkimDomain));
}

#[test]
fn without_recipients_or_with_too_many_none_are_known_to_be_meant() {
    let lines = MESSAGE
        .lines()
        .filter(|line| !line.contains("rcpt"))
        .collect::<Vec<_>>();
    let holds = |count: usize| {
        let mut given = Given::read(&lines.join("\n"));
        given.envelope.rcpt_to = vec![b"a@example.org".to_vec(); count];
        let judgement = given.judge();
        rule("r accept recipient=example.org").check(&MessageFacts::of(&judgement, NOW))
    };
    assert_eq!(holds(0), Check::Fails(Condition::Recipient));
    assert_eq!(holds(1), Check::Holds);
    assert_eq!(holds(MAX_RECIPIENTS), Check::Holds);
    assert_eq!(holds(MAX_RECIPIENTS + 1), Check::Fails(Condition::Recipient));
}

#[test]
fn what_the_mta_does_not_say_of_the_client_matches_nothing() {
    let mut given = Given::read(MESSAGE);
    given.envelope.client = None;
    // What Postfix and Sendmail say of a client whose name they could not verify.
    given.envelope.client_name = Some("[192.0.2.7]".to_owned());
    let judgement = given.judge();
    let facts = MessageFacts::of(&judgement, NOW);
    let check = |text: &str| rule(text).check(&facts);
    assert_eq!(
        check("r accept client=0.0.0.0-255.255.255.255"),
        Check::Fails(Condition::Client)
    );
    assert_eq!(
        check("r accept client_name=*.example"),
        Check::Fails(Condition::ClientName)
    );

    // A socket that listens on IPv6 shows an IPv4 client so.
    given.envelope.client = "::ffff:192.0.2.7".parse().ok();
    let judgement = given.judge();
    let facts = MessageFacts::of(&judgement, NOW);
    assert_eq!(rule("r accept client=192.0.2.7").check(&facts), Check::Holds);
}

#[test]
fn the_first_rule_that_holds_decides() {
    let judgement = judged("");
    let facts = MessageFacts::of(&judgement, NOW);
    let rules = [
        rule("expired reject ends=0 author_domain=acme.example"),
        rule("other reject author_domain=other.example"),
        rule("first accept author_domain=acme.example"),
        rule("second reject author_domain=acme.example"),
    ];
    let name = |rules: &[Rule]| select(rules, &facts).rule.map(|rule| rule.name.clone());
    assert_eq!(name(&rules).as_deref(), Some("first"));
    assert_eq!(name(&rules[3..]).as_deref(), Some("second"));
    assert_eq!(name(&rules[..2]), None);
    assert_eq!(name(&[]), None);
}

#[test]
fn only_a_rule_for_its_result_is_met() {
    // Nobody has named these results, so the rule is for failures only.
    let result = |given: &str| {
        let judgement = Given::read(given).judge();
        judgement.rule.map(|rule| rule.name)
    };
    let unusable = "from a@b.example\nfrom x@c.example\n";
    assert_eq!(result(&format!("{unusable}rule r accept client=192.0.2.1")), None);
    assert_eq!(
        result(&format!(
            "{unusable}rule r accept result=permerror client=192.0.2.1"
        ))
        .as_deref(),
        Some("r")
    );
    assert_eq!(
        result(&format!(
            "{unusable}rule r accept result=permerror author_domain=*.example"
        )),
        None,
        "there is no Author Domain to speak of"
    );
}

#[test]
fn what_would_have_been_done_is_kept_beside_what_is_done() {
    let given = format!(
        "{}\nrule r accept author_domain=acme.example",
        MESSAGE.replace("rules  arc always", "rules  reject always")
    );
    let judgement = Given::read(&given).judge();
    let applied = judgement.rule.expect("a rule");
    assert_eq!(
        (applied.effect, applied.owner.as_str(), applied.reason.as_str()),
        (Effect::Softened, "anna", "the reason of r")
    );
    assert!(matches!(applied.without.smtp, SmtpAction::Reject(_)));
    assert_eq!(judgement.decision.smtp, SmtpAction::Accept);
    assert_eq!(judgement.decision.overrides, Vec::from_iter(applied.recorded));
}

const SEALED: &str = "from a@example.com
    sealed by d=forward.example s=f claiming mx.forward.example; dmarc=pass header.from=example.com";

/// Two questions a set are spent on a chain only where a rule may ask about it.
#[test]
fn the_chain_of_a_message_is_validated_for_rules_that_ask_about_its_sealer() {
    for (rule, expected) in [
        ("any accept result=pass,none", ArcStatus::None),
        (
            "sealed accept result=fail arc_sealer=forward.example",
            ArcStatus::None,
        ),
        (
            "sealed accept result=none arc_sealer=forward.example",
            ArcStatus::Pass,
        ),
        (
            "sealed accept result=none arc_sealer=forward.example ends=-1",
            ArcStatus::None,
        ),
    ] {
        let given = Given::read(&format!(
            "{SEALED}\nrules trusted_sealers forward.example\nrule {rule}"
        ));
        let judgement = given.judge();
        assert_eq!(
            (judgement.dmarc.as_str(), judgement.arc.status),
            ("none", expected),
            "{rule}"
        );
    }
}

#[test]
fn a_chain_that_fails_leaves_a_rule_open_only_where_a_key_is_owed() {
    let mut judgement = Given::read(&format!("{SEALED}\nrules arc always")).judge();
    let sealed = rule("sealed accept result=none arc_sealer=forward.example");
    assert_eq!(sealed.check(&MessageFacts::of(&judgement, NOW)), Check::Holds);
    judgement.arc.status = ArcStatus::Fail;
    let condition = Condition::ArcSealer;
    assert_eq!(
        sealed.check(&MessageFacts::of(&judgement, NOW)),
        Check::Fails(condition)
    );
    for asked in &mut judgement.asked {
        asked.answer = None;
    }
    assert_eq!(
        sealed.check(&MessageFacts::of(&judgement, NOW)),
        Check::Unanswered(condition)
    );
}

/// Only what might have spared a message keeps it from being refused.
#[test]
fn a_rule_that_refuses_is_never_in_doubt() {
    let unanswered = "from a@example.com
        signed by d=list.example s=s1
        zone s1._domainkey.list.example TXT TIMEOUT";
    let judgement = Given::read(unanswered).judge();
    let facts = MessageFacts::of(&judgement, NOW);
    let rules =
        ["reject", "accept"].map(|action| rule(&format!("r {action} result=none dkim_domain=list.example")));
    for rule in &rules {
        assert_eq!(rule.check(&facts), Check::Unanswered(Condition::DkimDomain));
    }
    assert_eq!(select(&rules[..1], &facts).doubtful, None);
    assert_eq!(select(&rules, &facts).doubtful, Some(&rules[1]));
}
