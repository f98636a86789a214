//! The tally as a history file of OpenDMARC: one record for each message.

use std::io::{self, Write};

use landmarc_migrate::Counted;
use landmarc_migrate::opendmarc::history::{exported_job, write};
use landmarc_migrate::opendmarc::message::Message;
use landmarc_observation::{DayRow, DomainDay, PublishedPolicy, TallyRow};
use landmarc_store::Day;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// Noon: in every zone of the world it is that day, or nearly so.
const NOON_S: u64 = 12 * 3_600;

/// Writes a record for each message of a domain and day, as opendmarc 1.4 does; `reporter` is the host that received
/// them. How many there are.
///
/// # Errors
/// When it cannot be written.
pub fn write_domain(out: &mut impl Write, day: Day, domain: DomainDay, reporter: &str) -> io::Result<u64> {
    let mut count = 0;
    for DayRow {
        row, count: messages, ..
    } in domain.rows
    {
        let id = row_id(&row);
        let counted = counted(day, row);
        for message in 1..=messages {
            let job = exported_job(day.0, &id, message);
            out.write_all(write(&Message::of_counted(&counted, &job, reporter)).as_bytes())?;
        }
        count += messages;
    }
    Ok(count)
}

fn counted(day: Day, row: TallyRow) -> Counted {
    Counted {
        key: String::new(),
        at_s: day.begins_s() + NOON_S,
        count: 1,
        row,
    }
}

/// Octets of the digest that an id shows. Two rows of one day that share them are two among four thousand million.
const SHOWN: usize = 8;

/// The same for the same row, whatever else is counted on its day: a second export, with rows between those of
/// the first, gives each message the id that it had.
fn row_id(row: &TallyRow) -> String {
    let whole = digest(&SHA256, in_json(row).to_string().as_bytes());
    let shown = whole.as_ref().iter().take(SHOWN);
    shown.map(|octet| format!("{octet:02x}")).collect()
}

/// All that makes it another row, in a form that no two rows share: foreign text stands between quotation marks.
fn in_json(row: &TallyRow) -> Value {
    let TallyRow {
        policy_domain,
        published,
        source_ip,
        disposition,
        dkim_aligned,
        spf_aligned,
        reasons,
        header_from,
        envelope_from,
        envelope_to,
        dkim,
        spf,
        incidental,
    } = row;
    json!([
        policy_domain,
        published_in_json(published),
        source_ip.to_canonical().to_string(),
        disposition,
        dkim_aligned,
        spf_aligned,
        reasons,
        header_from,
        envelope_from,
        envelope_to,
        dkim,
        spf,
        incidental,
    ])
}

fn published_in_json(published: &PublishedPolicy) -> Value {
    let PublishedPolicy {
        p,
        sp,
        np,
        adkim,
        aspf,
        fo,
        testing,
        discovery_method,
        rua,
        ruf,
        problems,
        psd,
    } = published;
    json!([
        p,
        sp,
        np,
        adkim,
        aspf,
        fo,
        testing,
        discovery_method,
        rua,
        ruf,
        problems,
        psd
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn row() -> TallyRow {
        TallyRow {
            policy_domain: "example.com".to_owned(),
            published: PublishedPolicy {
                p: "reject".to_owned(),
                sp: "reject".to_owned(),
                adkim: "r".to_owned(),
                aspf: "r".to_owned(),
                ..PublishedPolicy::default()
            },
            source_ip: [192, 0, 2, 7].into(),
            disposition: "reject".to_owned(),
            dkim_aligned: false,
            spf_aligned: false,
            reasons: Vec::new(),
            header_from: "example.com".to_owned(),
            envelope_from: Some("example.com".to_owned()),
            envelope_to: None,
            dkim: Vec::new(),
            spf: None,
            incidental: false,
        }
    }

    fn domain(rows: impl IntoIterator<Item = (TallyRow, u64)>) -> DomainDay {
        let rows = rows.into_iter().map(|(row, count)| DayRow {
            published: 1,
            row,
            count,
        });
        DomainDay {
            policy_domain: "example.com".to_owned(),
            rows: rows.collect(),
            left_out_rows: 0,
            left_out_messages: 0,
        }
    }

    fn written(rows: impl IntoIterator<Item = (TallyRow, u64)>) -> String {
        let mut out = Vec::new();
        let domain = domain(rows);
        let messages: u64 = domain.rows.iter().map(|row| row.count).sum();
        let count = write_domain(&mut out, Day(20_605), domain, "mx.example.net").unwrap();
        assert_eq!(count, messages);
        String::from_utf8(out).unwrap()
    }

    /// Rows before it, after it, and messages more of it: what was exported once keeps its id.
    #[test]
    fn an_id_stays_with_its_message_whatever_is_counted_besides() {
        let of_client = |last: u8| TallyRow {
            source_ip: [192, 0, 2, last].into(),
            ..row()
        };
        let jobs = |text: String| {
            let jobs = text.lines().filter_map(|line| line.strip_prefix("job "));
            jobs.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let first = jobs(written([(of_client(7), 2)]));
        let second = jobs(written([(of_client(1), 1), (of_client(7), 3), (of_client(9), 1)]));
        assert_eq!((first.len(), second.len()), (2, 5));
        assert!(first.is_subset(&second), "{first:?} {second:?}");
    }

    /// The job ids, and with them the whole file, are the same each time.
    #[test]
    fn each_message_of_a_row_has_a_record_with_an_id_of_its_own() {
        insta::assert_snapshot!(written([(row(), 2)]), @r#"
        job lm20605.e6af0e283e6cb578.1
        reporter mx.example.net
        received 1780315200
        ipaddr 192.0.2.7
        from example.com
        mfrom example.com
        spf -1
        pdomain example.com
        policy 16
        rua -
        pct 100
        adkim 114
        aspf 114
        p 114
        sp 114
        align_dkim 5
        align_spf 5
        arc 7
        arc_policy 2 json:[]
        action 0
        job lm20605.e6af0e283e6cb578.2
        reporter mx.example.net
        received 1780315200
        ipaddr 192.0.2.7
        from example.com
        mfrom example.com
        spf -1
        pdomain example.com
        policy 16
        rua -
        pct 100
        adkim 114
        aspf 114
        p 114
        sp 114
        align_dkim 5
        align_spf 5
        arc 7
        arc_policy 2 json:[]
        action 0
        "#);
    }

    /// Files that were exported by an earlier version are imported again: these ids stay.
    #[test]
    fn the_id_of_a_row_is_the_same_in_all_versions() {
        assert_eq!(row_id(&row()), "e6af0e283e6cb578");
    }

    #[test]
    fn each_part_of_a_row_makes_it_another_one() {
        type Change = fn(&mut TallyRow);
        let changes: [Change; 25] = [
            |_| {},
            |row| row.policy_domain = "example.net".to_owned(),
            |row| row.published.p = "none".to_owned(),
            |row| row.published.sp = "none".to_owned(),
            |row| row.published.np = Some("none".to_owned()),
            |row| row.published.adkim = "s".to_owned(),
            |row| row.published.aspf = "s".to_owned(),
            |row| row.published.fo = "1".to_owned(),
            |row| row.published.testing = true,
            |row| row.published.discovery_method = "psl".to_owned(),
            |row| row.published.rua = vec!["mailto:a@example.com".to_owned()],
            |row| row.published.ruf = vec!["mailto:a@example.com".to_owned()],
            |row| row.published.problems = vec!["a tag twice".to_owned()],
            |row| row.published.psd = true,
            |row| row.source_ip = [192, 0, 2, 8].into(),
            |row| row.disposition = "none".to_owned(),
            |row| row.dkim_aligned = true,
            |row| row.spf_aligned = true,
            |row| row.reasons = vec![("other".to_owned(), String::new())],
            |row| row.header_from = "mail.example.com".to_owned(),
            |row| row.envelope_from = None,
            |row| row.envelope_from = Some(String::new()),
            |row| row.envelope_to = Some("example.org".to_owned()),
            |row| row.dkim = vec![("a\",\"b".to_owned(), String::new(), "pass".to_owned())],
            |row| row.spf = Some(("example.com".to_owned(), "mfrom".to_owned(), "fail".to_owned())),
        ];
        let ids = changes.map(|change| {
            let mut row = row();
            change(&mut row);
            row_id(&row)
        });
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), changes.len());
        let incidental = TallyRow {
            incidental: true,
            ..row()
        };
        assert!(!ids.contains(&row_id(&incidental)));
    }
}
