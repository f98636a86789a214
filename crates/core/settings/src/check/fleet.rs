//! What must hold between the keys of a fleet.

use std::path::PathBuf;

use crate::Settings;
use crate::mistake::Mistake;

/// A check, and the keys it looks at.
type Check = (fn(&Settings) -> Option<Mistake>, &'static [&'static str]);

/// The mistakes that can be made in `[fleet]` and `[collector]`. A check that looks at a key which is in
/// `mistakes` already is left out: there is no value to look at.
pub(super) fn conflicts(settings: &Settings, mistakes: &[Mistake]) -> Vec<Mistake> {
    let checks: [Check; 4] = [
        (password, &[key!(fleet.database)]),
        (
            one_way,
            &[key!(fleet.database), key!(fleet.push_to), key!(fleet.export)],
        ),
        (
            identity,
            &[
                key!(fleet.push_to),
                key!(fleet.ca_file),
                key!(fleet.certificate_file),
                key!(fleet.key_file),
            ],
        ),
        (
            collector,
            &[
                key!(collector.listen),
                key!(collector.certificate_file),
                key!(collector.key_file),
                key!(collector.client_ca_file),
            ],
        ),
    ];
    let mistaken = |key: &&str| mistakes.iter().any(|mistake| mistake.key == *key);
    let checks = checks.into_iter().filter(|(_, keys)| !keys.iter().any(mistaken));
    checks.filter_map(|(check, _)| check(settings)).collect()
}

/// What is handed on by two ways would be counted by two who know nothing of each other.
fn one_way(settings: &Settings) -> Option<Mistake> {
    let fleet = &settings.fleet;
    let ways = [
        (key!(fleet.database), fleet.database.is_some()),
        (key!(fleet.push_to), fleet.push_to.is_some()),
        (key!(fleet.export), fleet.export),
    ];
    let mut set = ways.into_iter().filter_map(|(key, is_set)| is_set.then_some(key));
    let (first, second) = (set.next()?, set.next()?);
    let why = format!("records are handed on by one way: {first} is set as well");
    Some(settings.refuse(second, None, why))
}

/// Who reads the settings need not be somebody who may read what is in the database. The address is not quoted.
fn password(settings: &Settings) -> Option<Mistake> {
    let has_one = settings.fleet.database.as_ref()?.has_password();
    let why = "it holds a password, which belongs into the file that fleet.password_file names";
    has_one.then(|| settings.refuse(key!(fleet.database), None, why))
}

fn identity(settings: &Settings) -> Option<Mistake> {
    let fleet = &settings.fleet;
    fleet.push_to.as_ref()?;
    let needed = [
        (key!(fleet.ca_file), &fleet.ca_file),
        (key!(fleet.certificate_file), &fleet.certificate_file),
        (key!(fleet.key_file), &fleet.key_file),
    ];
    missing(settings, key!(fleet.push_to), &needed)
}

fn collector(settings: &Settings) -> Option<Mistake> {
    let collector = &settings.collector;
    collector.listen.first()?;
    let needed = [
        (key!(collector.certificate_file), &collector.certificate_file),
        (key!(collector.key_file), &collector.key_file),
        (key!(collector.client_ca_file), &collector.client_ca_file),
    ];
    missing(settings, key!(collector.listen), &needed)
}

fn missing(settings: &Settings, key: &str, needed: &[(&str, &Option<PathBuf>)]) -> Option<Mistake> {
    let missing = needed.iter().filter(|(_, file)| file.is_none());
    let names: Vec<_> = missing.map(|(name, _)| *name).collect();
    let why = format!("it needs {} too: both ends show who they are", names.join(", "));
    (!names.is_empty()).then(|| settings.refuse(key, None, why))
}
