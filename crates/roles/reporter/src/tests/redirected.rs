//! Reports that the operator sends elsewhere than the record says (`outbox redirect`).

use landmarc_store::Redirection;

use super::*;

fn redirection(rua: &[&str]) -> Redirection {
    Redirection {
        policy_domain: "a.example".to_owned(),
        rua: rua.iter().map(|uri| (*uri).to_owned()).collect(),
        since_ms: JUNE_1,
    }
}

/// DNS knows nothing of the host, and is not asked: neither when the report is made nor two days later, when
/// what the record names would be verified anew.
#[tokio::test]
async fn a_redirected_report_goes_where_the_operator_says_also_when_it_is_late() {
    let later = Fault::new(At::Rcpt, What::Say("451 4.3.0 later".to_owned())).times(1);
    let world = World::new(Script::with(later), "");
    world.record([row("a.example", 1)]).await;
    let context = world.context(AFTER);
    let instead = redirection(&["mailto:x@nowhere.invalid", "mailto:x@nowhere.invalid"]);
    context.outbox.hold().redirect(&instead).unwrap();
    assert_eq!(world.make(&context).await.deliveries, 1);
    assert_eq!(world.send(&context).await.deferred, 1);
    let sent = world.send(&world.context(AFTER + 2 * 86_400_000)).await;
    assert_eq!(sent.delivered, 1, "{sent:?}");
    assert_eq!(world.relay.messages()[0].rcpt_to, ["x@nowhere.invalid"]);
}

#[tokio::test]
async fn a_report_that_is_redirected_nowhere_is_not_made_and_the_reason_is_kept() {
    let world = World::new(Script::default(), "");
    world.record([row("a.example", 1)]).await;
    let context = world.context(AFTER);
    context.outbox.hold().redirect(&redirection(&[])).unwrap();
    assert_eq!(world.make(&context).await.deliveries, 0);
    let day = Day::at(JUNE_1);
    let skipped = Reader::open(world.database()).unwrap().skipped(day, 10).unwrap();
    assert_eq!(
        skipped,
        [(
            "a.example".to_owned(),
            "outbox redirect sends it nowhere".to_owned()
        )]
    );
}
