//! The few organizations that are remembered of a network.

use std::collections::HashSet;

use super::SPOOFED_ORGANIZATIONS;

/// Organizations remembered for a network and day: as many as any figure asks for.
pub(super) const KEPT: usize = SPOOFED_ORGANIZATIONS;

/// Different organizations, up to five.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Organizations([u64; KEPT]);

impl FromIterator<u64> for Organizations {
    fn from_iter<I: IntoIterator<Item = u64>>(all: I) -> Self {
        let mut organizations = Self::default();
        for organization in all {
            organizations.add(organization);
        }
        organizations
    }
}

impl Organizations {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().filter(|kept| **kept != 0).count()
    }

    pub(super) fn has(&self, organization: u64) -> bool {
        self.0.contains(&organization)
    }

    pub(super) fn add(&mut self, organization: u64) {
        let place = self
            .0
            .iter_mut()
            .find(|kept| **kept == 0 || **kept == organization);
        if let Some(place) = place {
            *place = organization;
        }
    }

    pub(super) fn add_to(&self, all: &mut HashSet<u64>) {
        all.extend(self.0.iter().filter(|kept| **kept != 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_organizations_are_counted_up_to_five() {
        for (all, kept) in [
            (&[][..], &[][..]),
            (&[7], &[7]),
            (&[7, 7, 8, 7], &[7, 8]),
            (&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5]),
            (&[1, 2, 3, 4, 5, 6], &[1, 2, 3, 4, 5]),
        ] {
            let organizations: Organizations = all.iter().copied().collect();
            let mut found = HashSet::new();
            organizations.add_to(&mut found);
            assert_eq!(found, kept.iter().copied().collect(), "{all:?}");
            assert_eq!(organizations.count(), kept.len(), "{all:?}");
            assert!(
                all.iter()
                    .all(|one| organizations.has(*one) == kept.contains(one))
            );
        }
    }
}
