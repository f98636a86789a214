//! What a sender writes is never expanded, by nobody, and never more than a value (E8, A7).

use super::{Scene, Stage, Way, said};
use crate::interfaces::corpus::{ALLOWED, STRANGER};
use crate::interfaces::mta;
use crate::world::{letter, unfolded};

/// In every place that a sender has a hand in: what Exim would run, what would end a line or a value.
#[test]
fn nothing_of_a_sender_is_expanded() {
    let Some(scene) = Scene::start("exim-injection", &Stage::default()) else {
        return;
    };
    let proof = scene.exim.folder.join("log/proof");
    let harm = format!("${{run{{/usr/bin/touch {}}}}}", proof.display());
    let folded = format!(
        "From: \"{harm}\\\" status=accept\" <\"a{harm}\"@reject.example>\r\nSubject: {harm}\r\n\
         \x20status=accept text=\"Accept\"\r\nX-Line: \"\\n status=accept\r\n\
         Authentication-Results: mx.corpus.test; dmarc=pass (\"{harm}\\n)\r\n\
         Authentication-Results: mx.other.example; x=pass (\"{harm}\\n\u{e9}%0a)\r\n"
    );
    let message = [
        folded.as_bytes(),
        b"To: <b@here.example>\r\n\r\n${run{x}}\r\n.\r\nend\r\n",
    ]
    .concat();
    let mail_from = "\"x status=accept ${primary_hostname}\"@reject.example";
    let mut smtp = scene.client(STRANGER);
    // What Exim takes for a HELO name at all.
    smtp.ehlo("client_status.example").unwrap();
    let (code, lines) = said(&mta::send(&mut smtp, mail_from, &message));
    assert_eq!(
        (code, lines),
        (
            550,
            ["DMARC: status=reject", "Reject", "policy=reject"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    scene.service.messages(1)[0].says("author_domain=reject.example dmarc=fail action=reject");

    let outcome = scene.send(ALLOWED, "a@reject.example", &message);
    let (delivered, line) = scene.delivered(&outcome);
    line.says("author_domain=reject.example spf=pass dmarc=pass");
    let results = delivered.values("Authentication-Results");
    assert_eq!(results.len(), 2, "{results:?}");
    assert!(
        results[0].contains("mx.corpus.test;") && results[0].contains("dmarc=pass"),
        "{results:?}"
    );
    assert_eq!(
        results[1],
        format!(" mx.other.example; x=pass (\"{harm}\\n\u{e9}%0a)")
    );
    assert_eq!(
        unfolded(&delivered.values("Subject")[0]),
        unfolded(&format!("{harm} status=accept text=\"Accept\""))
    );
    assert!(!proof.exists(), "it was run");
}

/// A7: an ACL removes all fields of a name, so those of others are put back, in their order.
#[test]
fn forged_results_go_and_those_of_others_stay() {
    let Some(scene) = Scene::start("exim-forged", &Stage::default()) else {
        return;
    };
    let fields = "Authentication-Results: mx.other.example; dkim=pass header.d=first.example\r\n\
        Authentication-Results: mx.corpus.test; dmarc=pass header.from=forged.example\r\n\
        Authentication-Results: mx.other.example;\r\n\tdkim=pass header.d=second.example\r\n\
        authentication-results : mx.corpus.test (so says a stranger) ; spf=pass smtp.mailfrom=forged.example\r\n\
        X-DMARC: accept [Accept]\r\nX-TRACK-MSGID: 0123456789abcdef0123456789abcdef\r\n";
    let message = [fields.as_bytes(), &letter("a@none.example")].concat();
    let outcome = scene.send(STRANGER, "a@none.example", &message);
    let (delivered, _) = scene.delivered(&outcome);
    let results = delivered.values("Authentication-Results");
    let results: Vec<String> = results.iter().map(|value| unfolded(value)).collect();
    assert_eq!(results.len(), 3, "{results:?}");
    assert!(
        results[0].starts_with("mx.corpus.test;") && results[0].contains("dmarc=fail"),
        "{results:?}"
    );
    assert_eq!(results[1], "mx.other.example; dkim=pass header.d=first.example");
    assert_eq!(results[2], "mx.other.example; dkim=pass header.d=second.example");
    assert_eq!(delivered.values("X-DMARC"), [" none [None, Accept]"]);
    let track = delivered.values("X-TRACK-MSGID");
    assert!(
        track.len() == 1 && !track[0].contains("0123456789abcdef"),
        "{track:?}"
    );

    // Where nobody forged any, nothing is touched.
    let honest = [
        &b"Authentication-Results: mx.other.example; x=pass\r\n"[..],
        &letter("a@none.example"),
    ]
    .concat();
    let outcome = scene.send(STRANGER, "a@none.example", &honest);
    let (delivered, _) = scene.delivered(&outcome);
    let names: Vec<String> = delivered.fields().into_iter().map(|(name, _)| name).collect();
    let own = names.iter().position(|name| name == "Received").unwrap();
    assert_eq!(names[own + 1], "Authentication-Results", "{names:?}");
}

/// E14: beside the word to act upon stand those that Exim has none for.
#[test]
fn e14_the_words_beside_say_what_was_found() {
    let stage = Stage {
        way: Way::Inet,
        main: "LANDMARC_LOG = asked=${extract{asked}{$acl_m_landmarc}} result=${extract{result}{$acl_m_landmarc}} \
               spf=${extract{spf}{$acl_m_landmarc}} enforced_action=${extract{enforced_action}{$acl_m_landmarc}} \
               aligned=${extract{alignment_spf}{$acl_m_landmarc}}/${extract{alignment_dkim}{$acl_m_landmarc}} \
               domain=${extract{used_domain}{$acl_m_landmarc}} reply=${extract{reply}{$acl_m_landmarc}}.\n",
        ..Stage::default()
    };
    let Some(scene) = Scene::start("exim-e14", &stage) else {
        return;
    };
    let outcome = scene.spoof("a@none.example");
    let line = scene.exim.wait_for_log("Warning: asked=");
    assert!(
        line.ends_with(
            "asked=none result=fail spf=fail enforced_action=accept aligned=no/no domain=none.example reply=."
        ),
        "{line}"
    );
    scene.delivered(&outcome);
}
