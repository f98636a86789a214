//! Which Authentication-Results fields are looked at.

use landmarc_mail::authres::{self, AuthenticationResults, ResultInfo};
use landmarc_mail::message::HeaderSection;

use super::claim::UpstreamClaim;
use crate::policy::Rules;
use crate::removals::{RESULTS, Removal};

/// Fields in a trusted name that are read; honest filters leave three or four.
pub(super) const MAX_FIELDS: usize = 20;

/// Where the part of the header section ends that filters of this host have written to.
const RECEIVED: &str = "Received";

/// What is in doubt where a field in a trusted name cannot be read.
const GARBLED: &str = "an Authentication-Results field in a trusted name cannot be read";
/// The same of more fields than anybody needs.
const TOO_MANY: &str = "there are too many Authentication-Results fields in a trusted name";

/// The fields in a trusted name above the first Received field, topmost first.
#[derive(Debug, Default)]
pub(super) struct Fields {
    readable: Vec<Field>,
    /// Why what is below them is not known.
    end: Option<&'static str>,
}

#[derive(Debug)]
struct Field {
    /// As the settings spell it.
    by: String,
    /// Among all of its name, the topmost being 1.
    nth: u32,
    results: Vec<ResultInfo>,
}

/// One result, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldResult<'a> {
    pub(super) by: &'a str,
    pub(super) info: &'a ResultInfo,
    nth: u32,
}

impl Fields {
    /// `queue_id` is what the MTA calls the message, where that is known.
    pub(super) fn read(headers: &HeaderSection, rules: &Rules, queue_id: Option<&str>) -> Self {
        let mut fields = Self::default();
        for (nth, value) in at_the_top(headers) {
            let Some(value) = value else {
                // It is over a limit, and may be the one that counts.
                fields.end = Some(GARBLED);
                break;
            };
            match whose(value, rules, queue_id) {
                Whose::Trusted { by, results } if fields.readable.len() < MAX_FIELDS => {
                    fields.readable.push(Field { by, nth, results });
                }
                Whose::Trusted { .. } => {
                    fields.end = Some(TOO_MANY);
                    break;
                }
                Whose::Garbled => {
                    fields.end = Some(GARBLED);
                    break;
                }
                Whose::Others => {}
            }
        }
        fields
    }

    pub(super) fn are_there(&self) -> bool {
        !self.readable.is_empty() || self.end.is_some()
    }

    /// All results of a method, topmost first.
    pub(super) fn of(&self, method: &'static str) -> impl Iterator<Item = FieldResult<'_>> {
        self.readable.iter().flat_map(move |field| {
            let results = field.results.iter().filter(move |info| info.is(method));
            results.map(|info| FieldResult {
                by: &field.by,
                info,
                nth: field.nth,
            })
        })
    }

    /// What is said of a method of which no field speaks that can be read.
    pub(super) fn silence<T>(&self) -> UpstreamClaim<T> {
        self.end.map_or(UpstreamClaim::Absent, UpstreamClaim::Doubtful)
    }
}

impl FieldResult<'_> {
    /// Whether both stand in the same field.
    pub(super) fn is_beside(&self, other: &FieldResult<'_>) -> bool {
        self.nth == other.nth
    }

    /// That this is the result, worked out from the whole of what is stated.
    pub(super) fn claiming<T>(self, result: T) -> UpstreamClaim<T> {
        UpstreamClaim::Result {
            by: self.by.to_owned(),
            field: Removal {
                name: RESULTS.to_owned(),
                nth: self.nth,
            },
            result,
        }
    }
}

/// The Authentication-Results fields above the first Received field with their numbers; without
/// a value where one was left out at a limit.
fn at_the_top(headers: &HeaderSection) -> impl Iterator<Item = (u32, Option<&[u8]>)> {
    let top = headers.fields().iter().take_while(|field| !field.is(RECEIVED));
    let mut kept = top.filter(|field| field.is(RESULTS));
    let mut left_out = headers.results_left_out().iter().copied().peekable();
    (1u32..).map_while(move |nth| match left_out.next_if_eq(&nth) {
        Some(_) => Some((nth, None)),
        None => kept.next().map(|field| (nth, Some(field.value()))),
    })
}

enum Whose {
    Trusted {
        by: String,
        results: Vec<ResultInfo>,
    },
    /// In a trusted name, as far as can be seen.
    Garbled,
    /// Somebody else's, or forged for another message.
    Others,
}

fn whose(value: &[u8], rules: &Rules, queue_id: Option<&str>) -> Whose {
    let mut trusted = rules.upstream.trusted(&rules.authserv_id);
    let Ok((field, job)) = AuthenticationResults::parse_with_job(value) else {
        return match trusted.any(|id| authres::claims_authserv_id(value, id)) {
            true => Whose::Garbled,
            false => Whose::Others,
        };
    };
    // RFC 8601 §2.5 has readers compare without case.
    let Some(by) = trusted.find(|id| field.authserv_id.eq_ignore_ascii_case(id)) else {
        return Whose::Others;
    };
    // Nobody knows the name of a message before it is sent.
    let is_of_another = |job: &str| queue_id.is_some_and(|queue_id| queue_id != job);
    if job.as_deref().is_some_and(is_of_another) {
        return Whose::Others;
    }
    Whose::Trusted {
        by: by.to_owned(),
        results: field.results,
    }
}
