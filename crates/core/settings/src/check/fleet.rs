//! What must hold between the keys of a fleet.

use std::path::PathBuf;

use super::{Check, check};
use crate::Settings;
use crate::mistake::Mistake;

/// The checks of `[fleet]` and `[collector]`.
pub(super) const CHECKS: [Check; 4] = [
    check!(password: fleet.database),
    check!(one_way: fleet.database, fleet.push_to, fleet.export),
    check!(identity: fleet.push_to, fleet.ca_file, fleet.certificate_file, fleet.key_file),
    check!(collector: collector.listen, collector.certificate_file, collector.key_file, collector.client_ca_file),
];

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
