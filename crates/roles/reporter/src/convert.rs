//! From the rows of the store to those that reports are assembled of: the same facts, field by field.

use std::collections::BTreeMap;
use std::sync::Arc;

use landmarc_mail::DomainName;
use landmarc_mail::name::NameError;
use landmarc_report::aggregate::{DayOfDomain, Period, Published, Tallied};
use landmarc_store::{Day, DayRow, DomainDay, PublishedPolicy};

/// The rows of one policy domain and day.
///
/// # Errors
/// When the policy domain is no name: the store is damaged, or of another hand.
pub(crate) fn day_of_domain(day: Day, found: DomainDay) -> Result<DayOfDomain, NameError> {
    let policy_domain = DomainName::parse(&found.policy_domain)?;
    let mut known = BTreeMap::<u64, Arc<Published>>::new();
    let rows = found.rows.into_iter().map(|row| {
        let published = known
            .entry(row.published)
            .or_insert_with(|| Arc::new(published(row.published, &row.row.published)));
        tallied(Arc::clone(published), row)
    });
    Ok(DayOfDomain {
        policy_domain,
        period: Period::day(day.begins_s()),
        rows: rows.collect(),
        left_out: found.left_out_messages,
    })
}

fn tallied(published: Arc<Published>, DayRow { row, count, .. }: DayRow) -> Tallied {
    Tallied {
        published,
        count,
        incidental: row.incidental,
        source_ip: row.source_ip,
        disposition: row.disposition,
        dkim_aligned: row.dkim_aligned,
        spf_aligned: row.spf_aligned,
        reasons: row.reasons,
        header_from: row.header_from,
        envelope_from: row.envelope_from,
        envelope_to: row.envelope_to,
        dkim: row.dkim,
        spf: row.spf,
    }
}

fn published(sequence: u64, stored: &PublishedPolicy) -> Published {
    Published {
        sequence,
        p: stored.p.clone(),
        sp: stored.sp.clone(),
        np: stored.np.clone(),
        adkim: stored.adkim.clone(),
        aspf: stored.aspf.clone(),
        fo: stored.fo.clone(),
        testing: stored.testing,
        discovery_method: stored.discovery_method.clone(),
        rua: stored.rua.clone(),
        psd: stored.psd,
        problems: stored.problems.clone(),
    }
}
