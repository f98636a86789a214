//! Texts of strangers as values, with a note wherever one is not written as it should be.

use std::net::IpAddr;

use jiff::civil::Date;
use landmarc_mail::DomainName;
use landmarc_mail::calendar::day_begin;

use super::deviation::{DeviationKind, Notes};
use super::part::Element;
use landmarc_report::aggregate::{Registered, SchemaWord, Text};

/// The largest count that is taken for one (RR31): all sums of a report stay checked, and
/// SQL knows no larger number.
pub(super) const MAX_COUNT: u64 = 1 << 63;
/// The shortest run of digits that is a time in milliseconds: in seconds it is past the year 33000.
const MILLISECONDS_DIGITS: usize = 13;

/// Words for registered ones, as older drafts had them and as some write them still.
pub(super) type Synonyms = &'static [(&'static str, &'static str)];

/// A mandatory text; empty when it is missing.
pub(super) fn required(parent: Element<'_>, name: &'static str, notes: &mut Notes) -> String {
    let found = optional(parent, name);
    if found.is_none() {
        notes.add(DeviationKind::Missing, &place_in(parent, name), "");
    }
    found.unwrap_or_default()
}

/// A text that need not be there; an empty one is none.
pub(super) fn optional(parent: Element<'_>, name: &'static str) -> Option<String> {
    let text = parent.first(name)?.text();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A text with its language; an empty one is none.
pub(super) fn text(parent: Element<'_>, name: &'static str) -> Option<Text> {
    let element = parent.first(name)?;
    let text = element.text();
    (!text.is_empty()).then(|| Text {
        text: text.to_owned(),
        lang: element.lang().map(str::to_owned),
    })
}

/// A mandatory domain name, as it is written.
pub(super) fn domain(parent: Element<'_>, name: &'static str, notes: &mut Notes) -> String {
    let found = required(parent, name, notes);
    check_domain(&found, parent, name, notes);
    found
}

/// Notes what is no domain name.
pub(super) fn check_domain(text: &str, parent: Element<'_>, name: &'static str, notes: &mut Notes) {
    if !text.is_empty() && DomainName::parse(text).is_err() {
        notes.add(DeviationKind::DomainName, &place_in(parent, name), text);
    }
}

/// A mandatory word.
pub(super) fn word<T: Registered>(
    parent: Element<'_>,
    name: &'static str,
    synonyms: Synonyms,
    notes: &mut Notes,
) -> SchemaWord<T> {
    optional_word(parent, name, synonyms, notes).unwrap_or_else(|| {
        notes.add(DeviationKind::Missing, &place_in(parent, name), "");
        SchemaWord::missing()
    })
}

/// A word that need not be there; an empty element is none (RR32).
pub(super) fn optional_word<T: Registered>(
    parent: Element<'_>,
    name: &'static str,
    synonyms: Synonyms,
    notes: &mut Notes,
) -> Option<SchemaWord<T>> {
    let element = parent.first(name)?;
    let (raw, text) = (element.raw(), element.text());
    if text.is_empty() {
        return None;
    }
    let exact = SchemaWord::read(raw);
    if exact.known().is_some() {
        return Some(exact);
    }
    let folded = text.to_ascii_lowercase();
    let synonym = synonyms.iter().find(|(other, _)| *other == folded);
    let (read, kind) = match synonym {
        Some((_, registered)) => (SchemaWord::read(registered), DeviationKind::Synonym),
        None => (SchemaWord::read(&folded), DeviationKind::Case),
    };
    if read.known().is_some() {
        notes.add(kind, element.place(), text);
        return Some(read);
    }
    notes.add(DeviationKind::UnknownWord, element.place(), text);
    Some(SchemaWord::Other(text.to_owned()))
}

/// A count of messages: at least one (RR31).
pub(super) fn count(element: Element<'_>, notes: &mut Notes) -> Option<u64> {
    let number = number(element, notes)?;
    (1..=MAX_COUNT).contains(&number).then_some(number)
}

/// A number, as digits; also in groups of three, and with a fraction of zeros.
pub(super) fn number(element: Element<'_>, notes: &mut Notes) -> Option<u64> {
    let text = element.text();
    // XML Schema lets an integer have a plus sign, and so does `parse`.
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    let mut groups = whole.split(',');
    let is_short = |group: &str| (1..=3).contains(&group.len());
    let has_groups =
        !whole.contains(',') || groups.next().is_some_and(is_short) && groups.all(|group| group.len() == 3);
    let number = whole.replace(',', "").parse().ok().filter(|_| has_groups)?;
    notes.add(DeviationKind::Number, element.place(), text);
    Some(number)
}

/// A client address, without brackets; one of IPv4 is one of IPv4 in either form.
pub(super) fn address(element: Element<'_>, notes: &mut Notes) -> Option<IpAddr> {
    let text = element.text();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let read: IpAddr = bare.unwrap_or(text).parse().ok()?;
    let address = read.to_canonical();
    if bare.is_some() || read != address {
        notes.add(DeviationKind::Address, element.place(), text);
    }
    Some(address)
}

/// A moment in seconds since the epoch (RR27, RR28).
pub(super) fn moment(element: Element<'_>, notes: &mut Notes) -> Option<u64> {
    let text = element.text();
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = !digits.is_empty() && digits.bytes().chain(fraction.bytes()).all(|c| c.is_ascii_digit());
    if !is_number {
        let seconds = written_moment(text)?;
        notes.add(DeviationKind::TimeText, element.place(), text);
        return Some(seconds);
    }
    if text.contains('.') {
        notes.add(DeviationKind::TimeFraction, element.place(), text);
    }
    let number: u64 = digits.parse().ok()?;
    if digits.trim_start_matches('0').len() < MILLISECONDS_DIGITS {
        return Some(number);
    }
    notes.add(DeviationKind::TimeMilliseconds, element.place(), text);
    // Longer ones are no milliseconds of any time to come either.
    (digits.len() == MILLISECONDS_DIGITS).then_some(number / 1000)
}

/// A moment of the form `2026-06-01T00:00:00Z`; with a blank for the `T`, with an offset of zero,
/// or with neither, it is in UTC too. A day alone is its first second.
fn written_moment(text: &str) -> Option<u64> {
    let (day, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00"));
    let time = ["Z", "z", "+00:00", " UTC"]
        .iter()
        .find_map(|zone| time.strip_suffix(zone))
        .unwrap_or(time);
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let is_time = hour < 24 && minute < 60 && second <= 60;
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let within = u64::try_from((i32::from(hour) * 60 + i32::from(minute)) * 60 + i32::from(second)).ok()?;
    day_begin(date).filter(|_| is_time).map(|begin| begin + within)
}

/// Three numbers of one to four digits.
fn numbers(text: &str, separator: char) -> Option<[i16; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit());
        part.parse().ok().filter(|_| is_number)
    });
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// The place of a child, whether it is there or not.
pub(super) fn place_in(parent: Element<'_>, name: &str) -> String {
    format!("{}/{name}", parent.place())
}

#[cfg(test)]
mod tests {
    use super::*;
    use landmarc_report::date;

    #[test]
    fn written_moments_are_those_that_are_written() {
        for seconds in [
            0,
            951_782_400,
            1_709_164_800,
            1_780_272_000,
            4_107_542_400,
            253_402_300_799,
        ] {
            let text = date::rfc3339(seconds);
            assert_eq!(written_moment(&text), Some(seconds), "{text}");
        }
        for text in ["2026-06-01", "2026-06-01 00:00:00", "2026-06-01T00:00:00.5+00:00"] {
            assert_eq!(written_moment(text), Some(1_780_272_000), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "now",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-06-00",
            "1969-12-31",
            "12026-01-01",
            "2026-06-01T24:00:00",
            "2026-06-01T00:60:00",
            "2026-06-01T00:00",
            "2026-06-01T00:00:00+02:00",
            "2026-6-1-1",
            "+2026-06-01",
        ] {
            assert_eq!(written_moment(text), None, "{text}");
        }
    }
}
