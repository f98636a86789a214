//! What a row of the tally is called in the ids of its messages.

use landmarc_observation::{PublishedPolicy, TallyRow};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// Octets of the digest that an id shows. Two rows of one day that share them are two among four thousand million.
const SHOWN: usize = 8;

/// The same for the same row, whatever else is counted on its day: a second export, with rows between those of
/// the first, gives each message the id that it had.
pub(super) fn row_id(row: &TallyRow) -> String {
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
    use super::super::tests::row;
    use super::*;

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
