//! What waits at a host to be handed over.

use std::fs;

use landmarc_store::{
    Heartbeat, Reader, RecordLosses, Recorder, Segment, SpoolAgreement, SpoolLimits, SpoolStatus, StoreError,
};

use crate::hosts::{
    Contents, PATIENCE, ROOM, apply, collector, counted_first_day, files, messages, record_one_by_one,
    recorded, spool, spooling, status, taken,
};
use crate::samples::{DAY, Directory, MIDNIGHT, message, on_day, patient, record_all};

#[tokio::test]
async fn what_is_recorded_waits_and_is_there_after_it_was_applied() {
    let (host, fleet) = (Directory::new(), Directory::new());
    let recorder = Recorder::open(spooling(host.store(), ROOM)).unwrap();
    record_all(&recorder, messages(0..500)).await;
    recorder.rules_in_force(["all", "never"], MIDNIGHT);
    recorder.close(PATIENCE);
    let waits = status(&host);
    assert_eq!((waits.messages, waits.lost), (500, RecordLosses::default()));
    assert!(waits.oldest_ms.is_some() && waits.host.is_some());
    let mut spool = spool(&host);
    let mut collector = collector(&fleet);
    for segment in taken(&mut spool, 1 << 20) {
        apply(&mut collector, &segment);
    }
    assert_eq!(Contents::of(&host), Contents::of(&fleet));
    let left = spool.status().unwrap();
    assert_eq!(
        (left.entries, left.octets, left.messages, left.oldest_ms),
        (0, 0, 0, None)
    );
    assert!(spool.take(usize::MAX).unwrap().is_none());
}

#[tokio::test]
async fn without_a_spool_nothing_waits() {
    let host = Directory::new();
    let recorder = Recorder::open(patient(host.store())).unwrap();
    record_all(&recorder, messages(0..3)).await;
    recorder.close(PATIENCE);
    assert_eq!(status(&host), SpoolStatus::default());
    assert!(spool(&host).take(usize::MAX).unwrap().is_none());
}

#[tokio::test]
async fn counts_alone_are_handed_over_where_no_observations_are_wanted() {
    let (host, fleet) = (Directory::new(), Directory::new());
    let counts = SpoolLimits {
        observations: false,
        ..ROOM
    };
    recorded(&host, counts, messages(0..9)).await;
    let mut collector = collector(&fleet);
    for segment in taken(&mut spool(&host), usize::MAX) {
        apply(&mut collector, &segment);
    }
    let (there, here) = (Contents::of(&host), Contents::of(&fleet));
    assert_eq!((there.tally, there.hits), (here.tally, here.hits));
    assert_eq!((there.log.len(), here.log.len()), (9, 0));
    assert_eq!(status(&host).lost, RecordLosses::default());
}

#[tokio::test]
async fn a_trace_is_told_once_a_day_and_again_on_the_next() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(
        &host,
        ROOM,
        [on_day(0, 1), on_day(0, 2), on_day(1, 3), on_day(1, 4)],
    )
    .await;
    let mut collector = collector(&fleet);
    let octets: Vec<usize> = taken(&mut spool(&host), 1)
        .iter()
        .map(|segment| {
            apply(&mut collector, segment);
            segment.len()
        })
        .collect();
    assert!(octets[1] < octets[0] && octets[3] < octets[2], "{octets:?}");
    assert_eq!(Contents::of(&host), Contents::of(&fleet));
}

#[tokio::test]
async fn a_copy_and_a_backup_are_other_hosts_and_what_waits_in_them_counts_once() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, messages(0..10)).await;
    let (copy, backup) = (Directory::new(), Directory::new());
    fs::copy(host.store(), copy.store()).unwrap();
    let reader = Reader::open(host.store()).unwrap();
    reader.backup(backup.store(), |_, _| ()).unwrap();
    assert_eq!(status(&backup).host, None);
    let mut ids = vec![status(&host).host];
    let mut collector = collector(&fleet);
    for (place, one) in [&host, &copy, &backup].into_iter().enumerate() {
        let first = 1_000 * (place as u64 + 1);
        recorded(one, ROOM, messages(first..first + 5)).await;
        ids.push(status(one).host);
        for segment in taken(&mut spool(one), usize::MAX) {
            apply(&mut collector, &segment);
        }
    }
    assert_eq!(counted_first_day(&fleet), 10 + 3 * 5);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "the first run, and one of each file");
}

#[tokio::test]
async fn a_file_that_was_set_back_gives_no_number_out_again() {
    let (host, fleet) = (Directory::new(), Directory::new());
    let mut collector = collector(&fleet);
    recorded(&host, ROOM, messages(0..10)).await;
    let before = fs::read(host.store()).unwrap();
    recorded(&host, ROOM, messages(10..20)).await;
    for segment in taken(&mut spool(&host), usize::MAX) {
        apply(&mut collector, &segment);
    }
    // The same file, as it was.
    fs::write(host.store(), before).unwrap();
    recorded(&host, ROOM, messages(20..25)).await;
    for segment in taken(&mut spool(&host), usize::MAX) {
        apply(&mut collector, &segment);
    }
    assert_eq!(counted_first_day(&fleet), 25);
}

#[tokio::test]
async fn who_knows_numbers_that_we_never_gave_out_makes_us_another_host() {
    let host = Directory::new();
    let recorder = Recorder::open(spooling(host.store(), ROOM)).unwrap();
    record_one_by_one(&recorder, messages(0..3)).await;
    let mut spool = spool(&host);
    let id = spool.status().unwrap().host.unwrap();
    assert_eq!(spool.agree(id, 3).unwrap(), SpoolAgreement::Yes);
    assert_eq!(
        spool.agree([7; 16].into(), 9).unwrap(),
        SpoolAgreement::Yes,
        "not about us"
    );
    assert_eq!(spool.agree(id, 4).unwrap(), SpoolAgreement::AnotherHost);
    // While the recorder goes on.
    record_one_by_one(&recorder, messages(3..4)).await;
    let other = spool.status().unwrap().host.unwrap();
    assert_ne!(other, id);
    let pieces = taken(&mut spool, usize::MAX);
    let read = |place: usize| Segment::read(&pieces[place]).unwrap();
    assert_eq!((read(0).host(), read(0).first(), read(0).last()), (id, 1, 3));
    assert_eq!((read(1).host(), read(1).first(), read(1).last()), (other, 1, 1));
    drop(recorder);
}

#[tokio::test]
async fn only_what_was_handed_out_is_removed() {
    let host = Directory::new();
    recorded(&host, ROOM, messages(0..5)).await;
    let mut spool = spool(&host);
    let id = spool.status().unwrap().host.unwrap();
    assert_eq!(spool.remove(id, u64::MAX).unwrap(), 0);
    let one = spool.take(1).unwrap().unwrap();
    assert_eq!((one.first(), one.last()), (1, 1));
    assert_eq!(spool.take(1).unwrap().unwrap(), one, "it comes again");
    assert_eq!(spool.remove([7; 16].into(), 1).unwrap(), 0);
    assert_eq!(spool.remove(id, u64::MAX).unwrap(), 1);
    assert_eq!(spool.take(1).unwrap().unwrap().first(), 2);
}

#[tokio::test]
async fn what_is_exported_is_in_files_and_counts_once_whatever_is_applied_again() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, messages(0..10)).await;
    let out = host.path().join("out");
    let mut spool = spool(&host);
    // After a crash between writing and removing the file is there, and the entries are.
    let again = spool.take(usize::MAX).unwrap().unwrap();
    let exported = spool.export(&out).unwrap();
    assert_eq!((exported.entries, exported.messages), (10, 10));
    assert_eq!(files(&out), exported.files);
    let name = exported.files[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(
        name,
        format!(
            "mx1.example-{}-000000000001-000000000010.segment",
            again.host().short()
        )
    );
    assert_eq!(spool.status().unwrap().entries, 0);
    assert!(spool.export(&out).unwrap().files.is_empty());
    let mut collector = collector(&fleet);
    let loaded = Segment::load(&exported.files[0]).unwrap();
    assert_eq!(loaded, again);
    assert_eq!(collector.apply(&loaded, MIDNIGHT).unwrap().messages, 10);
    assert!(matches!(
        Segment::load(host.store()),
        Err(StoreError::Segment { .. })
    ));
    assert!(matches!(Segment::load(host.path()), Err(StoreError::Io { .. })));
    assert_eq!(apply(&mut collector, &again.to_octets()).messages, 0);
    assert_eq!(Contents::of(&host), Contents::of(&fleet));
}

#[tokio::test]
async fn a_file_from_before_a_crash_stays_and_a_damaged_one_is_replaced() {
    let host = Directory::new();
    recorded(&host, ROOM, messages(0..10)).await;
    let out = host.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut spool = spool(&host);
    let segment = spool.take(usize::MAX).unwrap().unwrap();
    let path = out.join(format!(
        "mx1.example-{}-000000000001-000000000010.segment",
        segment.host().short()
    ));
    let octets = segment.to_octets();
    fs::write(&path, &octets[..100]).unwrap();
    fs::write(out.join(".left-over.partial"), "x").unwrap();
    assert_eq!(spool.export(&out).unwrap().files, [path.as_path()]);
    assert_eq!(fs::read(&path).unwrap(), octets);
}

#[test]
fn names_that_are_no_file_names_stay_in_the_directory() {
    let host = Directory::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(recorded(&host, ROOM, messages(0..1)));
    let name = "../../etc/mx 1\u{e9}";
    let mut spool = landmarc_store::Spool::open(host.store(), name, PATIENCE).unwrap();
    let out = host.path().join("out");
    let exported = spool.export(&out).unwrap();
    assert_eq!(files(&out), exported.files);
    let octets = fs::read(&exported.files[0]).unwrap();
    assert_eq!(Segment::read(&octets).unwrap().name(), name);
}

#[tokio::test]
async fn what_comes_after_the_reports_of_its_day_is_counted_and_told() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, [message(1), on_day(1, 2)]).await;
    let mut outbox = landmarc_store::Outbox::open(fleet.store(), PATIENCE).unwrap();
    let day = landmarc_store::Day::at(MIDNIGHT);
    outbox.begin_day(day, MIDNIGHT + DAY).unwrap();
    outbox
        .put_all(&[crate::letters::report("example.com")], MIDNIGHT + DAY)
        .unwrap();
    let mut collector = collector(&fleet);
    let mut sum = landmarc_store::Applied::default();
    for segment in taken(&mut spool(&host), usize::MAX) {
        sum.add(apply(&mut collector, &segment));
    }
    assert_eq!((sum.messages, sum.of_reported_days), (2, 1));
}

#[tokio::test]
async fn a_collector_works_beside_a_recorder_and_expiry() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, messages(0..300)).await;
    let recorder = Recorder::open(patient(fleet.store())).unwrap();
    let pieces = taken(&mut spool(&host), 4_000);
    let path = fleet.store();
    let applying = tokio::task::spawn_blocking(move || {
        let mut collector = landmarc_store::Collector::open(path, PATIENCE).unwrap();
        pieces
            .iter()
            .map(|piece| apply(&mut collector, piece).messages)
            .sum::<u64>()
    });
    for round in 0..20 {
        record_all(&recorder, messages(1_000 + round * 10..1_010 + round * 10)).await;
        recorder
            .expire(landmarc_store::Retention::standard(MIDNIGHT))
            .await
            .unwrap();
    }
    assert_eq!(applying.await.unwrap(), 300);
    recorder.close(PATIENCE);
    let found = Contents::of(&fleet);
    assert_eq!((found.messages(), found.log.len()), (500, 500));
    assert!(found.traces.iter().all(|trace| !trace.is_empty()));
    assert_eq!(found.hits, [("all".to_owned(), 500)]);
}

#[test]
fn a_name_that_is_too_long_is_refused() {
    let fleet = Directory::new();
    let mut collector = collector(&fleet);
    let beat = |length: usize| Heartbeat {
        host: [1; 16].into(),
        name: "h".repeat(length),
        clock_ms: 0,
        caught_up_ms: 0,
        pending: 0,
    };
    assert!(collector.beat(&beat(landmarc_store::MAX_WORD), 0).is_ok());
    assert!(collector.beat(&beat(landmarc_store::MAX_WORD + 1), 0).is_err());
}
