//! Answers kept for as long as they hold, within a bound.
//!
//! Two generations take turns: entries go into the newer one, and those that are used move
//! there again; when it is half of what may be kept, the older one is dropped whole.
//! So what is used stays, what is not goes, and nothing has to be searched.

use std::collections::HashMap;
use std::mem;

use landmarc_auth::lookup::{Answer, DnsRecord, Question};
use tokio::time::Instant;

/// Octets kept at most, names and records together: long answers from one hostile zone
/// must not take the memory that a count of entries would grant them.
pub(super) const CACHE_OCTETS: usize = 32 << 20;

/// What an entry takes beside its name and records.
const ENTRY_OCTETS: usize = 192;

pub(super) struct Cache {
    entries_a_map: usize,
    octets_a_map: usize,
    newer: Generation,
    older: Generation,
}

#[derive(Default)]
struct Generation {
    entries: HashMap<Question, Entry>,
    octets: usize,
}

#[derive(Clone)]
struct Entry {
    answer: Answer,
    expires: Instant,
}

impl Cache {
    /// At most so many entries; 0 keeps none.
    pub(super) fn new(entries: usize) -> Self {
        Self {
            entries_a_map: entries / 2,
            octets_a_map: CACHE_OCTETS / 2,
            newer: Generation::default(),
            older: Generation::default(),
        }
    }

    /// The answer, if there is one that still holds.
    pub(super) fn answer(&mut self, question: &Question, now: Instant) -> Option<Answer> {
        if let Some(entry) = self.newer.entries.get(question) {
            return (entry.expires > now).then(|| entry.answer.clone());
        }
        let entry = self.older.remove(question).filter(|entry| entry.expires > now)?;
        self.keep(question.clone(), entry.answer.clone(), entry.expires);
        Some(entry.answer)
    }

    /// Keeps an answer until `expires`.
    pub(super) fn keep(&mut self, question: Question, answer: Answer, expires: Instant) {
        if self.entries_a_map == 0 {
            return;
        }
        // Before the mark is looked at: many short answers replaced by long ones of the
        // same names must not go past it either.
        self.older.remove(&question);
        self.newer.remove(&question);
        let full = self.newer.entries.len() >= self.entries_a_map || self.newer.octets >= self.octets_a_map;
        if full {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(question, Entry { answer, expires });
    }
}

impl Generation {
    /// A question that is not in it.
    fn insert(&mut self, question: Question, entry: Entry) {
        self.octets += octets(&question, &entry.answer);
        self.entries.insert(question, entry);
    }

    fn remove(&mut self, question: &Question) -> Option<Entry> {
        let entry = self.entries.remove(question)?;
        self.octets -= octets(question, &entry.answer);
        Some(entry)
    }
}

fn octets(question: &Question, answer: &Answer) -> usize {
    let records = answer.records().iter().map(|record| {
        size_of::<DnsRecord>()
            + match record {
                DnsRecord::Txt(text) => text.len(),
                DnsRecord::A(_) | DnsRecord::Aaaa(_) => 0,
                DnsRecord::Mx { exchange: name, .. } | DnsRecord::Ptr(name) => name.as_bytes().len(),
            }
    });
    ENTRY_OCTETS + question.name.as_bytes().len() + records.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use landmarc_auth::lookup::{DnsName, LookupError, RecordType};

    use super::*;

    #[test]
    fn an_answer_holds_until_it_expires_and_not_a_moment_longer() {
        let (mut cache, now) = (Cache::new(10), Instant::now());
        cache.keep(question(1), Answer::NoData, now + Duration::from_secs(60));
        assert_eq!(cache.answer(&question(1), now), Some(Answer::NoData));
        let almost = now + Duration::from_millis(59_999);
        assert_eq!(cache.answer(&question(1), almost), Some(Answer::NoData));
        assert_eq!(cache.answer(&question(1), now + Duration::from_secs(60)), None);
        assert_eq!(cache.answer(&question(2), now), None);
    }

    #[test]
    fn types_of_one_name_are_apart() {
        let (mut cache, now) = (Cache::new(10), Instant::now());
        let expires = now + Duration::from_secs(60);
        cache.keep(question(1), Answer::NoData, expires);
        let txt = Question::txt(question(1).name);
        assert_eq!(cache.answer(&txt, now), None);
        cache.keep(txt.clone(), Answer::Failed(LookupError::ServFail), expires);
        assert_eq!(cache.answer(&question(1), now), Some(Answer::NoData));
        assert_eq!(
            cache.answer(&txt, now),
            Some(Answer::Failed(LookupError::ServFail))
        );
    }

    #[test]
    fn never_more_entries_than_allowed_and_the_used_ones_stay() {
        let (mut cache, now) = (Cache::new(100), Instant::now());
        let expires = now + Duration::from_secs(60);
        for number in 0..10_000 {
            cache.keep(question(number), Answer::NoData, expires);
            assert!(cache.answer(&question(0), now).is_some(), "lost after {number}");
            assert!(cache.newer.entries.len() + cache.older.entries.len() <= 100);
        }
        assert_eq!(cache.answer(&question(5_000), now), None);
        assert!(cache.answer(&question(9_999), now).is_some());
    }

    #[test]
    fn fifty_fit_beside_each_other_before_anything_goes() {
        let (mut cache, now) = (Cache::new(100), Instant::now());
        let expires = now + Duration::from_secs(60);
        for number in 0..100 {
            cache.keep(question(number), Answer::NoData, expires);
        }
        assert!(
            (0..100).all(|number| cache.older.entries.contains_key(&question(number))
                || cache.newer.entries.contains_key(&question(number)))
        );
        cache.keep(question(100), Answer::NoData, expires);
        assert_eq!(cache.answer(&question(0), now), None);
    }

    #[test]
    fn long_answers_do_not_take_more_than_the_octets_allowed() {
        let (mut cache, now) = (Cache::new(1_000_000), Instant::now());
        let long = Answer::from_records(vec![DnsRecord::Txt(vec![b'x'; 60_000].into())]);
        for number in 0..2_000 {
            cache.keep(question(number), long.clone(), now + Duration::from_secs(60));
        }
        // One answer past the mark for each generation, since the mark is looked at before.
        let most = CACHE_OCTETS + 2 * octets(&question(0), &long);
        assert!(cache.newer.octets + cache.older.octets <= most);
        assert!(cache.answer(&question(1_999), now).is_some());
    }

    #[test]
    fn long_answers_in_the_place_of_short_ones_do_not_either() {
        let (mut cache, now) = (Cache::new(1_000_000), Instant::now());
        let long = Answer::from_records(vec![DnsRecord::Txt(vec![b'x'; 60_000].into())]);
        for answer in [Answer::NoData, long.clone()] {
            for number in 0..2_000 {
                cache.keep(question(number), answer.clone(), now + Duration::from_secs(60));
            }
        }
        let most = CACHE_OCTETS + 2 * octets(&question(0), &long);
        assert!(cache.newer.octets + cache.older.octets <= most);
        assert!(cache.answer(&question(1_999), now).is_some());
    }

    #[test]
    fn a_newer_answer_takes_the_place_and_the_octets_of_the_elder() {
        let (mut cache, now) = (Cache::new(2), Instant::now());
        let expires = now + Duration::from_secs(60);
        cache.keep(
            question(1),
            Answer::from_records(vec![DnsRecord::Txt(vec![b'x'; 500].into())]),
            expires,
        );
        cache.keep(question(1), Answer::NoData, expires);
        assert_eq!(cache.newer.octets, octets(&question(1), &Answer::NoData));
        assert_eq!(cache.answer(&question(1), now), Some(Answer::NoData));
    }

    #[test]
    fn no_entries_allowed_keeps_none() {
        let (mut cache, now) = (Cache::new(0), Instant::now());
        cache.keep(question(1), Answer::NoData, now + Duration::from_secs(60));
        assert_eq!(cache.answer(&question(1), now), None);
    }

    fn question(number: u32) -> Question {
        let name = DnsName::from_octets(format!("n{number}.example").as_bytes()).unwrap();
        Question::new(name, RecordType::A)
    }
}
