//! The way of a complaint: from the SMTP reply that a sender quotes to the explanation of their message.

use std::path::Path;

use landmarc_store::Reader;
use landmarc_testkit::tools::wait_for;

use crate::binary::landmarc;
use crate::world::{STRANGER, Scene, letter};

/// The product's answer to "legitimate mail refused, and nobody can see why": whoever has the
/// bounce pastes the reply, and is told, while the service runs.
#[test]
fn the_reply_that_refused_a_message_leads_to_its_explanation() {
    let settings = "mode = \"enforce\"\naction.reject = \"always\"";
    let Some(scene) = Scene::start("records-reply", settings) else {
        return;
    };
    let message = letter("a@reject.example");
    let outcome = scene.send(STRANGER, "a@reject.example", &message);
    let reply = outcome.last();
    assert_eq!(reply.code, 550, "{reply:?}");
    let store = scene.service.database().display().to_string();
    let explain = |id: &str| {
        // On a slow disk the record comes after the answer (decision D13).
        let ran = wait_for(|| Some(landmarc(["explain", id, "--store", &store])).filter(|ran| ran.code == 0));
        let ran = ran.unwrap_or_else(|| panic!("nothing is told of {id}"));
        assert_eq!(ran.stderr, "", "{id}");
        ran.stdout
    };
    let printed = explain(&reply.text());
    for fact in [
        "author_domain    reject.example",
        "client           198.51.100.66",
        "action           reject",
    ] {
        assert!(printed.contains(fact), "{printed}");
    }
    // The explanation has the id of this very message wherever it speaks of it, and leads back here.
    let rows = Reader::open(Path::new(&store))
        .unwrap()
        .log(&landmarc_store::LogFilter::default())
        .unwrap();
    let row = rows
        .first()
        .expect("it was recorded before it was answered (decision D13)");
    assert!(
        reply.text().contains(&row.id) && printed.contains(&row.id),
        "{printed}"
    );
    assert_eq!(explain(&row.id), printed);
    assert_eq!(explain(&row.queue_id), printed);

    let log = landmarc(["log", "--domain", "reject.example", "--store", &store]);
    assert_eq!((log.code, log.stdout.lines().count()), (0, 2), "{}", log.stdout);
}
