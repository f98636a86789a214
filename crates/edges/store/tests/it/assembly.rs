//! The tally of a day as reports are made from it.

use landmarc_observation::{DomainDay, Observation};
use landmarc_store::{Day, Reader};

use crate::bed::{Bed, suite};
use crate::samples::{DAY, MIDNIGHT, from, message, reader, row};
use crate::ship::record;

suite!(
    a_day_is_read_domain_by_domain_in_alphabetical_order,
    reading_holds_up_nobody_and_each_domain_is_of_one_moment,
    the_last_known_policy_configuration_has_the_highest_number,
    problems_psd_and_incidental_come_back_and_tell_rows_apart,
    the_days_that_have_rows_are_known,
);

fn whole(reader: &Reader, day: Day) -> Vec<DomainDay> {
    let days = reader.reporting_day(day).unwrap();
    let expected = days.domains();
    let all: Vec<_> = days.map(Result::unwrap).collect();
    assert_eq!(all.len(), expected);
    all
}

/// What the other way to ask says.
fn check_against_tally(reader: &Reader, day: Day, all: &[DomainDay]) {
    let names: Vec<_> = all.iter().map(|one| one.policy_domain.clone()).collect();
    assert_eq!(names, reader.policy_domains(day).unwrap());
    for one in all {
        let mut rows: Vec<_> = one.rows.iter().map(|row| (row.row.clone(), row.count)).collect();
        let mut tally = reader.tally(day, &one.policy_domain).unwrap();
        let order = |one: &(landmarc_observation::TallyRow, u64)| format!("{one:?}");
        rows.sort_by_key(order);
        tally.sort_by_key(order);
        assert_eq!(rows, tally, "{}", one.policy_domain);
        assert_eq!((one.left_out_rows, one.left_out_messages), (0, 0));
    }
}

fn a_day_is_read_domain_by_domain_in_alphabetical_order(bed: &Bed) {
    const MESSAGES: u64 = 1_800;
    let messages = (0..MESSAGES).map(|number| {
        let mut one = from(number, &format!("d{}.example", number * 7 % 300));
        if let Some(row) = &mut one.row {
            row.source_ip = [192, 0, (number % 300 / 8) as u8, (number / 300 % 5) as u8].into();
        }
        one
    });
    record(bed, messages);
    let reader = reader(bed.place());
    let day = Day::at(MIDNIGHT);
    let all = whole(&reader, day);
    assert_eq!(all.len(), 300);
    check_against_tally(&reader, day, &all);
    let counted: u64 = all.iter().flat_map(|one| &one.rows).map(|row| row.count).sum();
    assert_eq!(counted, MESSAGES);
    // What is still in the journal alone, and what is in both.
    record(bed, [from(1, "d1.example"), from(2, "a.example")]);
    let later = whole(&reader, day);
    check_against_tally(&reader, day, &later);
    assert_eq!((later.len(), later[0].policy_domain.as_str()), (301, "a.example"));
    let recounted: u64 = later.iter().flat_map(|one| &one.rows).map(|row| row.count).sum();
    assert_eq!(recounted, MESSAGES + 2);
    assert_eq!(whole(&reader, day.next()), []);
}

fn reading_holds_up_nobody_and_each_domain_is_of_one_moment(bed: &Bed) {
    // More domains than are read at a time.
    record(
        bed,
        (0..2_100).map(|number| from(number, &format!("{number:04}.example"))),
    );
    let reader = reader(bed.place());
    let mut days = reader.reporting_day(Day::at(MIDNIGHT)).unwrap();
    let first = days.next().unwrap().unwrap();
    assert_eq!(
        (first.policy_domain.as_str(), first.rows[0].count),
        ("0000.example", 1)
    );
    // One that was not read yet counts what came since; one that is new has to wait.
    record(bed, [from(0, "2099.example"), from(1, "new.example")]);
    let rest: Vec<_> = days.map(Result::unwrap).collect();
    assert_eq!((rest.len(), rest[2_098].rows[0].count), (2_099, 2));
    assert_eq!(whole(&reader, Day::at(MIDNIGHT)).len(), 2_101);
}

fn the_last_known_policy_configuration_has_the_highest_number(bed: &Bed) {
    let with_rua = |number: u64, rua: &str| {
        let mut one = message(number);
        if let Some(row) = &mut one.row {
            row.published.rua = vec![rua.to_owned()];
        }
        one
    };
    record(bed, [with_rua(1, "mailto:first@example.com")]);
    record(bed, [with_rua(2, "mailto:second@example.com")]);
    record(bed, [with_rua(3, "mailto:first@example.com")]);
    let all = whole(&reader(bed.place()), Day::at(MIDNIGHT));
    let mut rows = all[0].rows.clone();
    rows.sort_by_key(|row| row.published);
    let known: Vec<_> = rows
        .iter()
        .map(|row| (row.row.published.rua[0].as_str(), row.count))
        .collect();
    assert_eq!(
        known,
        [("mailto:first@example.com", 2), ("mailto:second@example.com", 1)]
    );
}

fn problems_psd_and_incidental_come_back_and_tell_rows_apart(bed: &Bed) {
    let changed = |number: u64, change: fn(&mut landmarc_observation::TallyRow)| {
        let mut one = message(number);
        one.row.as_mut().into_iter().for_each(change);
        one
    };
    let messages: Vec<Observation> = vec![
        message(0),
        changed(1, |row| row.incidental = true),
        changed(2, |row| row.published.psd = true),
        changed(3, |row| {
            row.published.problems = vec!["sp=\"maybe\" is no policy".to_owned()];
        }),
        changed(4, |row| row.published.problems = vec!["x".repeat(300); 20]),
    ];
    record(bed, messages);
    let all = whole(&reader(bed.place()), Day::at(MIDNIGHT));
    let rows: Vec<_> = all[0].rows.iter().map(|row| &row.row).collect();
    assert_eq!(rows.len(), 5);
    let with = |change: fn(&mut landmarc_observation::TallyRow)| {
        let mut row = row("example.com");
        change(&mut row);
        row
    };
    assert!(rows.contains(&&with(|_| {})));
    assert!(rows.contains(&&with(|row| row.incidental = true)));
    assert!(rows.contains(&&with(|row| row.published.psd = true)));
    assert!(rows.contains(&&with(
        |row| row.published.problems = vec!["sp=\"maybe\" is no policy".to_owned()]
    )));
    // Cut to the limits, one octet and one entry past them.
    assert!(rows.contains(&&with(|row| row.published.problems = vec!["x".repeat(200); 8])));
}

fn the_days_that_have_rows_are_known(bed: &Bed) {
    assert_eq!(
        Reader::open(bed.place()).is_err(),
        !bed.is_server(),
        "those of a server were made before"
    );
    let at = |day: u64, number: u64| {
        let mut one = message(number);
        one.at_ms = MIDNIGHT + day * DAY;
        one
    };
    record(bed, [at(5, 1), at(0, 2), at(2, 3)]);
    let days = || -> Vec<u32> {
        let days = reader(bed.place()).reporting_days().unwrap();
        days.iter().map(|day| day.0 - Day::at(MIDNIGHT).0).collect()
    };
    assert_eq!(days(), [0, 2, 5]);
    record(bed, [at(2, 4), at(1, 5)]);
    assert_eq!(days(), [0, 1, 2, 5], "the journal included");
}
