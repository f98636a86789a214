//! What is accepted and should be looked at.

use landmarc_settings::read;

fn warned(text: &str) -> String {
    let (_, warnings) = read(text).expect("this file is right");
    warnings
        .iter()
        .map(|warning| warning.render("f") + "\n")
        .collect()
}

#[test]
fn each_concern_is_told_at_its_line() {
    let warned = warned(
        r#"mode = "enforce"
[milter]
socket_mode = "0666"
[dkim]
accept_body_length = true
min_rsa_bits = 3072
[arc]
validate = "never"
trusted_sealers = ["lists.example.org"]
[action]
reject = "always"
unusable_author = "accept"
trusted_forwarders = ["192.0.2.0/24", "0.0.0.0/0"]
[check_api]
listen = ["unix:/run/landmarc/check.sock"]
socket_mode = "0666"
[clients]
trusted_networks = ["::/0"]
trusted_relays_keep_results = ["0.0.0.0/0"]
[failures]
dns.code = 421
internal.code = 450
"#,
    );
    insta::assert_snapshot!(warned, @r#"
    f:3:15: milter.socket_mode: warning: lets every user of this host speak to the socket
    f:5:22: dkim.accept_body_length: warning: accepts text that anybody added below the signed part of a body (RFC 6376 §8.2)
    f:6:16: dkim.min_rsa_bits: warning: fails signatures that RFC 8301 §3.2 has verifiers accept, and that many domains make
    f:9:19: arc.trusted_sealers: warning: has no effect, as arc validation is switched off
    f:11:10: action.reject: warning: goes beyond RFC 9989 §7.4, which forbids rejecting a message solely because its domain asks for it; mailing lists lose subscribers by it
    f:12:19: action.unusable_author: warning: lets a message escape judgement by a From field that nobody can read
    f:13:39: action.trusted_forwarders: warning: 0.0.0.0/0 is every address there is: every client counts as a forwarder
    f:16:15: check_api.socket_mode: warning: lets every user of this host speak to the socket
    f:18:21: clients.trusted_networks: warning: ::/0 is every address there is: no client of that family is judged
    f:19:32: clients.trusted_relays_keep_results: warning: 0.0.0.0/0 is every address there is: anybody's Authentication-Results are believed
    f:21:12: failures.dns.code: warning: 421 makes the mail server close the connection, and other messages with it (RFC 5321 §3.8)
    "#);
}

/// RFC 9990 §3.5.1.
#[test]
fn reports_that_may_not_pass_dmarc_are_warned_of() {
    let email = "[report]\nemail = \"reports@mail.example.com\"\n";
    insta::assert_snapshot!(warned(email), @r#"f:2:9: report.email: warning: reports are not signed here (report.dkim_keys is empty): unless the mail server signs them, they may not pass DMARC, as RFC 9990 §3.5.1 demands; "landmarc dkim new" makes a key"#);
    let signed = format!("{email}dkim_keys = [\"s:/etc/landmarc/s.pem\"]\n");
    assert_eq!(warned(&signed), "");
    assert_eq!(
        warned(&format!(
            "{email}delivery = {{ by = 'directory', directory = '/d' }}\n"
        )),
        ""
    );
    for aligned in ["example.com", "mail.example.com", "a.mail.example.com"] {
        assert_eq!(
            warned(&format!("{signed}dkim_domain = '{aligned}'\n")),
            "",
            "{aligned}"
        );
    }
    insta::assert_snapshot!(warned(&format!("{signed}dkim_domain = 'ample.com'\n")), @r#"f:4:15: report.dkim_domain: warning: ample.com is neither the domain of report.email nor above or below it: the signatures are in alignment with mail.example.com only if both have the same Organizational Domain"#);
}

#[test]
fn without_an_address_nothing_is_reported() {
    insta::assert_snapshot!(warned("[report]\nfailure.enabled = true\n"), @r#"f:2:19: report.failure.enabled: warning: has no effect, as report.email is empty and nothing is reported"#);
}

#[test]
fn what_is_only_observed_is_no_loophole() {
    assert_eq!(warned("[action]\nunusable_author = \"accept\"\n"), "");
    assert_ne!(
        warned("mode = \"enforce\"\n[action]\nunusable_author = \"accept\"\n"),
        ""
    );
}

/// P18: whoever writes the From field decides whether it is judged.
#[test]
fn an_author_domain_that_is_not_judged_is_a_loophole_once_it_matters() {
    let skipped = "[clients]\nskip_author_domains = [\"example.com\"]\n";
    assert_eq!(warned(skipped), "");
    insta::assert_snapshot!(
        warned(&format!("mode = \"enforce\"\n{skipped}")),
        @"f:3:23: clients.skip_author_domains: warning: lets a message escape judgement by a From field that anybody can write; a rule can name more"
    );
}

#[test]
fn the_questions_must_do_for_keys_and_policies() {
    for enough in [
        "",
        "[dkim]\nmax_signatures = 20\n",
        "[dns]\nquestions_per_message = 90\n",
        "[dkim]\nmax_signatures = 100\n[dns]\nquestions_per_message = 500\n",
    ] {
        assert_eq!(warned(enough), "", "{enough}");
    }
    for (too_few, said) in [
        (
            "[dkim]\nmax_signatures = 21\n",
            "f:2:18: dkim.max_signatures: warning: ",
        ),
        (
            "[dns]\nquestions_per_message = 89\n",
            "f:2:25: dns.questions_per_message: warning: ",
        ),
    ] {
        assert!(warned(too_few).starts_with(said), "{}", warned(too_few));
    }
    assert!(warned("[dkim]\nmax_signatures = 21\n").contains("need 105 questions"));
}

#[test]
fn values_at_the_edge_are_no_concern() {
    assert_eq!(
        warned("[milter]\nsocket_mode = \"0664\"\n[dkim]\nmin_rsa_bits = 2048\n"),
        ""
    );
    assert_eq!(
        warned("[arc]\nvalidate = \"never\"\n[clients]\ntrusted_networks = [\"0.0.0.0/1\"]\n"),
        ""
    );
}
