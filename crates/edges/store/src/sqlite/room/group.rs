//! Whose an observation or a row is: the Organizational Domain that a flood goes for.

use crate::columns::unreversed;
use crate::groups::Groups;

/// Of an author as it is stored.
pub(super) fn group_of(groups: Option<&dyn Groups>, author: Option<&str>) -> String {
    author.map_or_else(String::new, |author| group(groups, &unreversed(author)))
}

pub(super) fn group(groups: Option<&dyn Groups>, name: &str) -> String {
    // Those of all names of an Organizational Domain are its own, too.
    let name = name.strip_prefix("*.").unwrap_or(name);
    groups.map_or_else(|| name.to_owned(), |groups| groups.organizational_domain(name))
}
