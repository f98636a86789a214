//! Reporting rows and outcomes as an entry holds them. A later version writes another version of the segment,
//! so that nothing here is guessed.

use std::sync::Arc;

use landmarc_observation::{PublishedPolicy, TallyRow};

use super::octets::{Cursor, Fault, Writer};
use crate::limits::{MAX_LIST, MAX_PROBLEM, MAX_PROBLEMS, MAX_TEXT, MAX_WORD};
use crate::prepared::PreparedOutcome;

pub(super) fn write_row(writer: &mut Writer, row: &TallyRow) {
    writer.text(&row.policy_domain);
    write_published(writer, &row.published);
    writer.address(row.source_ip);
    writer.text(&row.disposition);
    for flag in [row.dkim_aligned, row.spf_aligned, row.incidental] {
        writer.flag(flag);
    }
    writer.pairs(&row.reasons);
    writer.text(&row.header_from);
    writer.optional(row.envelope_from.as_deref());
    writer.optional(row.envelope_to.as_deref());
    writer.length(row.dkim.len());
    row.dkim.iter().for_each(|result| writer.triple(result));
    writer.flag(row.spf.is_some());
    row.spf.iter().for_each(|result| writer.triple(result));
}

pub(super) fn read_row(cursor: &mut Cursor<'_>) -> Result<TallyRow, Fault> {
    Ok(TallyRow {
        policy_domain: word(cursor)?,
        published: read_published(cursor)?,
        source_ip: cursor.address()?,
        disposition: word(cursor)?,
        dkim_aligned: cursor.flag()?,
        spf_aligned: cursor.flag()?,
        incidental: cursor.flag()?,
        reasons: pairs(cursor)?,
        header_from: word(cursor)?,
        envelope_from: cursor.optional(MAX_WORD)?,
        envelope_to: cursor.optional(MAX_WORD)?,
        dkim: cursor.list(MAX_LIST, triple)?,
        spf: match cursor.flag()? {
            true => Some(triple(cursor)?),
            false => None,
        },
    })
}

fn write_published(writer: &mut Writer, published: &PublishedPolicy) {
    writer.text(&published.p);
    writer.text(&published.sp);
    writer.optional(published.np.as_deref());
    for word in [&published.adkim, &published.aspf, &published.fo] {
        writer.text(word);
    }
    writer.flag(published.testing);
    writer.text(&published.discovery_method);
    for list in [&published.rua, &published.ruf, &published.problems] {
        writer.length(list.len());
        list.iter().for_each(|text| writer.text(text));
    }
    writer.flag(published.psd);
}

fn read_published(cursor: &mut Cursor<'_>) -> Result<PublishedPolicy, Fault> {
    Ok(PublishedPolicy {
        p: word(cursor)?,
        sp: word(cursor)?,
        np: cursor.optional(MAX_WORD)?,
        adkim: word(cursor)?,
        aspf: word(cursor)?,
        fo: word(cursor)?,
        testing: cursor.flag()?,
        discovery_method: word(cursor)?,
        rua: cursor.list(MAX_LIST, |cursor| cursor.string(MAX_TEXT))?,
        ruf: cursor.list(MAX_LIST, |cursor| cursor.string(MAX_TEXT))?,
        problems: cursor.list(MAX_PROBLEMS, |cursor| cursor.string(MAX_PROBLEM))?,
        psd: cursor.flag()?,
    })
}

pub(super) fn write_outcome(writer: &mut Writer, outcome: &PreparedOutcome) {
    writer.optional(outcome.author_domain.as_deref());
    writer.optional(outcome.policy_domain.as_deref());
    writer.optional(outcome.policy.as_deref());
    writer.optional(outcome.rule.as_deref());
    for word in [&outcome.spf, &outcome.dkim, &outcome.arc, &outcome.dmarc] {
        writer.text(word);
    }
    for word in [&outcome.disposition, &outcome.action, &outcome.enforced_action] {
        writer.text(word);
    }
    writer.text(&outcome.cause);
    writer.pairs(&outcome.overrides);
}

pub(super) fn read_outcome(cursor: &mut Cursor<'_>) -> Result<PreparedOutcome, Fault> {
    Ok(PreparedOutcome {
        author_domain: cursor.optional(MAX_WORD)?,
        policy_domain: cursor.optional(MAX_WORD)?,
        policy: cursor.optional(MAX_WORD)?,
        rule: cursor.optional(MAX_WORD)?.map(Arc::from),
        spf: word(cursor)?,
        dkim: word(cursor)?,
        arc: word(cursor)?,
        dmarc: word(cursor)?,
        disposition: word(cursor)?,
        action: word(cursor)?,
        enforced_action: word(cursor)?,
        cause: cursor.string(MAX_TEXT)?,
        overrides: pairs(cursor)?,
    })
}

pub(super) fn word(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    cursor.string(MAX_WORD)
}

fn pairs(cursor: &mut Cursor<'_>) -> Result<Vec<(String, String)>, Fault> {
    cursor.list(MAX_LIST, |cursor| Ok((word(cursor)?, cursor.string(MAX_TEXT)?)))
}

fn triple(cursor: &mut Cursor<'_>) -> Result<(String, String, String), Fault> {
    Ok((word(cursor)?, word(cursor)?, word(cursor)?))
}
