//! How much new traces may take up in an hour, so that a flood of stories does not push out in an
//! hour what was told in weeks.

/// Octets of new traces, compressed, that belong to one hour. Past it messages are recorded without
/// theirs, unless it is one that is there already. Ten million messages a day of the usual kind take a
/// thirtieth of it; a flood needs days for the 16 GiB that the store may have out of the box.
pub(super) const MAX_STORIES: u64 = 256 << 20;

/// What the new traces of an hour took up. Observations come in the order of time, but for a few at
/// its turn, and for those that waited in memory: each of these may begin it again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stories {
    hour: i64,
    octets: u64,
}

impl Stories {
    /// Whether a new trace of this hour may be stored.
    pub(super) fn have_room(&self, hour: i64) -> bool {
        self.hour != hour || self.octets < MAX_STORIES
    }

    /// Counts one that was.
    pub(super) fn add(&mut self, hour: i64, octets: u64) {
        if self.hour != hour {
            *self = Self { hour, octets: 0 };
        }
        self.octets += octets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_full_at_the_limit_and_the_next_is_empty() {
        let mut stories = Stories::default();
        assert!(stories.have_room(7));
        stories.add(7, MAX_STORIES - 1);
        assert!(stories.have_room(7));
        stories.add(7, 1);
        assert!(!stories.have_room(7) && stories.have_room(8));
        stories.add(8, MAX_STORIES);
        assert!(!stories.have_room(8));
    }
}
