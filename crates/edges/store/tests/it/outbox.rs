//! Reports are stored once, and read back as they were.

use landmarc_store::{
    Day, DeliveryState, NewReport, OutboxFilter, OutboxStatus, Put, ReportKind, StoreError, Trouble,
};

use crate::bed::{Bed, suite};
use crate::letters::{NOW, claim, destinations, outbox, part, put_one, report, stored, to};
use crate::samples::{DAY, HOUR, MIDNIGHT, reader};

suite!(
    a_report_comes_back_as_it_was_handed_over,
    a_report_is_stored_once_however_often_it_is_made,
    failure_reports_are_told_apart_by_their_report_id,
    a_large_body_is_stored_whole_or_not_at_all,
    what_is_past_a_limit_is_refused_and_nothing_is_written,
    a_list_tells_what_the_filter_lets_through,
    what_waits_and_what_has_ended_is_counted,
    a_secret_is_made_once_and_stays,
);

fn a_report_comes_back_as_it_was_handed_over(bed: &Bed) {
    let mut outbox = outbox(bed);
    let new = NewReport {
        deliveries: vec![to("a@example.com"), to("b@example.org"), to("a@example.com")],
        facts: "{\"form\":\"rfc9990\",\"text\":\"a\\u0000'b\"}".to_owned(),
        body: (0..=255).collect(),
        ..report("example.com")
    };
    let number = put_one(&mut outbox, new.clone());
    let reader = reader(bed);
    let report = reader.report(&new.report_id).unwrap().unwrap();
    let back = NewReport {
        kind: report.kind,
        report_id: report.report_id,
        policy_domain: report.policy_domain,
        day: report.day,
        begin_s: report.begin_s,
        end_s: report.end_s,
        configuration: report.configuration,
        part: report.part,
        file_name: report.file_name,
        submitter: report.submitter,
        email: report.email,
        organization: report.organization,
        facts: report.facts,
        date_ms: report.date_ms,
        rows: report.rows,
        messages: report.messages,
        body: reader.report_body(report.number).unwrap().unwrap(),
        deliveries: new.deliveries.clone(),
    };
    assert_eq!(back, new);
    assert_eq!(
        (report.number, report.size, report.created_ms, report.has_body),
        (number, 256, NOW, true)
    );
    assert_eq!(outbox.body(number).unwrap().unwrap(), new.body);
    let all = reader.deliveries(&OutboxFilter::default()).unwrap();
    assert_eq!(
        destinations(&all),
        ["b@example.org", "a@example.com"],
        "none twice"
    );
    let one = &all[0];
    assert_eq!(
        (one.state, one.attempts, one.reason.as_str()),
        (DeliveryState::Queued, 0, "")
    );
    assert_eq!(
        (one.due_ms, one.next_ms, one.first_ms, one.ended_ms),
        (NOW, NOW, None, None)
    );
    assert_eq!((one.message_id.as_str(), &one.lease), ("<b@example.org>", &None));
    assert_eq!(reader.delivery(one.number).unwrap().as_ref(), Some(one));
    assert_eq!(
        (
            reader.report("none").unwrap(),
            outbox.body(landmarc_store::ReportNumber(99)).unwrap()
        ),
        (None, None)
    );
}

fn a_report_is_stored_once_however_often_it_is_made(bed: &Bed) {
    let mut outbox = outbox(bed);
    let all = [
        part("example.com", 1),
        part("example.com", 2),
        report("example.org"),
    ];
    let first = outbox.put_all(&all, NOW).unwrap();
    assert!(first.iter().all(|put| matches!(put, Put::Stored(_))), "{first:?}");
    assert_eq!(outbox.put_all(&all, NOW).unwrap(), [Put::AlreadyThere; 3]);
    // What was tallied since divides it into three parts: those two stay what they are.
    let again = [
        part("example.com", 1),
        part("example.com", 2),
        part("example.com", 3),
    ];
    assert_eq!(outbox.put_all(&again, NOW).unwrap(), [Put::AlreadyThere; 3]);
    // Under another Report-ID it is still the same report.
    let renamed = NewReport {
        report_id: "other".to_owned(),
        ..part("example.com", 1)
    };
    assert_eq!(outbox.put_all(&[renamed], NOW).unwrap(), [Put::AlreadyThere]);
    // Another configuration, another begin, another day are others.
    let day = Day::at(MIDNIGHT + DAY);
    let others = [
        NewReport {
            report_id: "c2".to_owned(),
            configuration: "c2".to_owned(),
            ..report("example.com")
        },
        NewReport {
            report_id: "hour".to_owned(),
            begin_s: (MIDNIGHT + HOUR) / 1_000,
            ..report("example.com")
        },
        NewReport {
            report_id: "day".to_owned(),
            day,
            begin_s: day.begins_s(),
            ..report("example.com")
        },
    ];
    let put = outbox.put_all(&others, NOW).unwrap();
    assert!(put.iter().all(|put| matches!(put, Put::Stored(_))), "{put:?}");
    let mut mixed = vec![report("example.net")];
    mixed.extend(others);
    let put = outbox.put_all(&mixed, NOW).unwrap();
    assert!(matches!(put[0], Put::Stored(_)) && put[1..] == [Put::AlreadyThere; 3]);
    assert_eq!(reader(bed).status().unwrap().outbox.reports, 7);
    assert_eq!(outbox.put_all(&[], NOW).unwrap(), []);
}

fn failure_reports_are_told_apart_by_their_report_id(bed: &Bed) {
    let mut outbox = outbox(bed);
    let failure = |report_id: &str, at_ms: u64| NewReport {
        kind: ReportKind::Failure,
        report_id: report_id.to_owned(),
        deliveries: vec![to("ruf@example.com")],
        day: Day::at(at_ms),
        ..report("example.com")
    };
    put_one(&mut outbox, report("example.com"));
    let twice = [failure("f1", NOW), failure("f2", NOW), failure("f2", NOW)];
    let put = outbox.put_all(&twice, NOW).unwrap();
    assert!(
        matches!(put[..], [Put::Stored(_), Put::Stored(_), Put::AlreadyThere]),
        "{put:?}"
    );
    assert_eq!(
        outbox.failures_since(NOW).unwrap(),
        [("ruf@example.com".to_owned(), 2)]
    );
    assert_eq!(outbox.failures_since(NOW + 1).unwrap(), []);
    let about = |day| {
        let all = reader(bed).deliveries_about(day).unwrap().into_iter();
        let all = all.map(|one| (one.kind, one.policy_domain, one.destination, one.deliveries));
        all.collect::<Vec<_>>()
    };
    let example = || "example.com".to_owned();
    let failures = (ReportKind::Failure, example(), "ruf@example.com".to_owned(), 2);
    assert_eq!(about(Day::at(NOW)), [failures]);
    let aggregate = (ReportKind::Aggregate, example(), "rua@example.com".to_owned(), 1);
    assert_eq!(about(Day::at(MIDNIGHT)), [aggregate]);
    assert!(about(Day(0)).is_empty());
    // It settles no day, and an aggregate report does.
    assert!(outbox.is_settled(Day::at(MIDNIGHT), "example.com").unwrap());
    assert!(!outbox.is_settled(Day::at(NOW), "example.com").unwrap());
}

fn a_large_body_is_stored_whole_or_not_at_all(bed: &Bed) {
    const SIZE: usize = 5 << 20;
    let mut outbox = outbox(bed);
    let body: Vec<u8> = (0..SIZE).map(|place| (place * 7 / 3 % 251) as u8).collect();
    let large = |domain: &str| NewReport {
        body: body.clone(),
        ..report(domain)
    };
    let put = outbox
        .put_all(&[large("example.com"), large("example.org")], NOW)
        .unwrap();
    for one in put {
        assert_eq!(outbox.body(stored(one)).unwrap().unwrap(), body);
    }
    assert_eq!(
        outbox.put_all(&[large("example.com")], NOW).unwrap(),
        [Put::AlreadyThere]
    );
    let status = reader(bed).status().unwrap().outbox;
    assert_eq!((status.reports, status.body_bytes), (2, 2 * SIZE as u64));
    // One that is damaged is not taken for a shorter one.
    bed.sql("DELETE FROM chunk WHERE id % 256 = 3");
    let number = reader(bed).report("id-of-example.com").unwrap().unwrap().number;
    let refused = outbox.body(number).unwrap_err();
    let is_damaged = match bed.server() {
        Some(_) => matches!(
            refused,
            StoreError::Server {
                trouble: Trouble::Damaged,
                ..
            }
        ),
        None => matches!(refused, StoreError::Damaged { what: "row", .. }),
    };
    assert!(is_damaged, "{refused}");
}

fn what_is_past_a_limit_is_refused_and_nothing_is_written(bed: &Bed) {
    let mut outbox = outbox(bed);
    let long = |octets: usize| "x".repeat(octets);
    let many = |count: usize| {
        (0..count)
            .map(|one| to(&format!("{one}@example.com")))
            .collect::<Vec<_>>()
    };
    type Change = fn(&mut NewReport, String);
    let texts: [(&str, usize, Change); 9] = [
        ("report_id", 255, |report, text| report.report_id = text),
        ("policy_domain", 255, |report, text| report.policy_domain = text),
        ("configuration", 255, |report, text| report.configuration = text),
        ("submitter", 255, |report, text| report.submitter = text),
        ("email", 254, |report, text| report.email = text),
        ("file name", 1_024, |report, text| report.file_name = text),
        ("organization", 1_024, |report, text| report.organization = text),
        ("facts", 32_768, |report, text| report.facts = text),
        ("destination", 254, |report, text| {
            report.deliveries = vec![to(&text)];
        }),
    ];
    for (what, limit, change) in texts {
        let mut one = report(&format!("{}.example", what.replace(['_', ' '], "-")));
        change(&mut one, long(limit + 1));
        let refused = outbox.put_all(std::slice::from_ref(&one), NOW).unwrap_err();
        assert!(
            matches!(refused, StoreError::TooLong { what: found, found: octets, .. } if found == what && octets == limit + 1),
            "{what}: {refused}"
        );
        change(&mut one, long(limit));
        stored(outbox.put_all(&[one], NOW).unwrap()[0]);
    }
    let mut one = report("example.com");
    one.deliveries = many(101);
    assert!(matches!(
        outbox.put_all(&[one.clone()], NOW),
        Err(StoreError::TooLong { found: 101, .. })
    ));
    one.deliveries = many(100);
    one.deliveries[0].message_id = long(1_025);
    assert!(matches!(
        outbox.put_all(&[one.clone()], NOW),
        Err(StoreError::TooLong {
            what: "message_id",
            ..
        })
    ));
    one.deliveries[0].message_id = long(1_024);
    one.body = vec![0; (64 << 20) + 1];
    assert!(matches!(
        outbox.put_all(&[one.clone()], NOW),
        Err(StoreError::TooLong { what: "body", .. })
    ));
    one.body.clear();
    let at_limit = vec![one.clone(); 64];
    let put = outbox.put_all(&at_limit, NOW).unwrap();
    assert_eq!(put.iter().filter(|put| **put == Put::AlreadyThere).count(), 63);
    let too_many_letters = vec![one.clone(); 65];
    assert!(matches!(
        outbox.put_all(&too_many_letters, NOW),
        Err(StoreError::TooLong { found: 6_500, .. })
    ));
    one.deliveries.clear();
    assert_eq!(outbox.put_all(&vec![one.clone(); 200], NOW).unwrap().len(), 200);
    assert!(matches!(
        outbox.put_all(&vec![one; 201], NOW),
        Err(StoreError::TooLong { found: 201, .. })
    ));
    assert_eq!(reader(bed).status().unwrap().outbox.reports, 10);
}

fn a_list_tells_what_the_filter_lets_through(bed: &Bed) {
    let mut outbox = outbox(bed);
    let failure = NewReport {
        kind: ReportKind::Failure,
        report_id: "failure".to_owned(),
        day: Day::at(NOW),
        deliveries: vec![to("ruf@Example.ORG")],
        ..report("example.org")
    };
    let two = NewReport {
        deliveries: vec![to("rua@example.com"), to("other@example.net")],
        ..report("example.com")
    };
    outbox
        .put_all(&[two, report("example.org"), failure], NOW)
        .unwrap();
    let one = &claim(&mut outbox, "me", NOW, 1)[0];
    outbox.deferred(one.number, "me", "busy", NOW + 1).unwrap();
    let found = |change: fn(&mut OutboxFilter)| {
        let mut filter = OutboxFilter::default();
        change(&mut filter);
        let found = reader(bed).deliveries(&filter).unwrap();
        destinations(&found)
            .iter()
            .map(|one| (*one).to_owned())
            .collect::<Vec<_>>()
    };
    let all = [
        "ruf@Example.ORG",
        "rua@example.org",
        "other@example.net",
        "rua@example.com",
    ];
    assert_eq!(found(|_| {}), all);
    assert_eq!(found(|filter| filter.limit = 1), all[..1]);
    assert_eq!(
        found(|filter| filter.state = Some(DeliveryState::Deferred)),
        all[3..]
    );
    assert_eq!(
        found(|filter| filter.state = Some(DeliveryState::Queued)),
        all[..3]
    );
    assert_eq!(
        found(|filter| filter.state = Some(DeliveryState::Delivered)),
        [""; 0]
    );
    assert_eq!(found(|filter| filter.kind = Some(ReportKind::Failure)), all[..1]);
    assert_eq!(found(|filter| filter.day = Some(Day::at(MIDNIGHT))), all[1..]);
    assert_eq!(
        found(|filter| filter.policy_domain = Some("Example.org".to_owned())),
        all[..2]
    );
    assert_eq!(
        found(|filter| filter.destination = Some("@example.org".to_owned())),
        all[..2]
    );
    assert_eq!(
        found(|filter| filter.destination = Some("RUF@example.org".to_owned())),
        all[..1]
    );
    assert_eq!(
        found(|filter| filter.report_id = Some("id-of-example.com".to_owned())),
        all[2..]
    );
    let both = found(|filter| {
        filter.policy_domain = Some("example.com".to_owned());
        filter.destination = Some("@example.net".to_owned());
    });
    assert_eq!(both, all[2..3]);
    for nasty in ["' OR 1=1 --", "%", "@", ""] {
        let filter = OutboxFilter {
            destination: Some(nasty.to_owned()),
            ..OutboxFilter::default()
        };
        assert_eq!(reader(bed).deliveries(&filter).unwrap(), [], "{nasty}");
    }
}

fn what_waits_and_what_has_ended_is_counted(bed: &Bed) {
    let mut outbox = outbox(bed);
    for number in 0..6 {
        put_one(&mut outbox, report(&format!("{number}.example")));
    }
    let claimed = claim(&mut outbox, "me", NOW, 4);
    outbox.delivered(claimed[0].number, "250 Ok", NOW).unwrap();
    outbox.given_up(claimed[1].number, "me", "550 no", NOW).unwrap();
    outbox
        .deferred(claimed[2].number, "me", "451 later", NOW + HOUR)
        .unwrap();
    let counts = outbox.counts(NOW).unwrap();
    assert_eq!((counts.queued, counts.deferred, counts.leased), (3, 1, 1));
    assert_eq!((counts.due, counts.oldest_due_ms), (2, Some(NOW)));
    let later = reader(bed).outbox_counts(NOW + 2 * HOUR).unwrap();
    assert_eq!((later.leased, later.due), (0, 4), "the lease ran out");
    let status = reader(bed).status().unwrap().outbox;
    let expected = OutboxStatus {
        reports: 6,
        body_bytes: 6 * "about 0.example".len() as u64,
        queued: 3,
        deferred: 1,
        delivered: 1,
        given_up: 1,
        suppressions: 0,
        last_finished_day: None,
    };
    assert_eq!(status, expected);
}

fn a_secret_is_made_once_and_stays(bed: &Bed) {
    let secret = outbox(bed).secret("return_path").unwrap();
    assert_eq!(outbox(bed).secret("return_path").unwrap(), secret);
    assert_ne!(outbox(bed).secret("redaction").unwrap(), secret);
    assert_ne!(secret, [0; 32]);
    assert!(outbox(bed).secret(&"x".repeat(255)).is_ok());
    assert!(outbox(bed).secret(&"x".repeat(256)).is_err());
}
