//! The recipients of a message, as far as somebody asks about them.

use landmarc_mail::ReversePath;
use landmarc_receiver::rule::MAX_RECIPIENTS;

/// Octets of all paths of a message that are kept. A thousand ordinary addresses fit; what is
/// longer is as good as too many, so that sessions cannot hold the megabyte each that paths of the
/// greatest length would come to.
const MAX_KEPT_OCTETS: usize = 64 * 1024;

/// What is known of the recipients of a message.
#[derive(Debug, Default)]
pub(super) struct Recipients {
    /// Whether all so far are on the list of those whose mail is not judged; nothing before the
    /// first.
    are_listed: Option<bool>,
    /// Whether one of them is who gets the copies anyway.
    have_reader: bool,
    /// Whether all so far are addresses of ours for reports; nothing before the first.
    are_for_reports: Option<bool>,
    /// Whether one of them is.
    have_one_for_reports: bool,
    /// Their paths, where a rule asks about them; nothing once they are too many.
    paths: Option<Vec<Vec<u8>>>,
    /// Octets of `paths`.
    octets: usize,
}

/// What is known of one recipient.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RecipientFacts {
    /// Mail to it alone is not judged.
    pub(super) is_listed: bool,
    /// It gets the copies for a human to look at.
    pub(super) is_reader: bool,
    /// Reports come from there, or go there.
    pub(super) is_for_reports: bool,
}

impl Recipients {
    pub(super) fn new(keeps_paths: bool) -> Self {
        Self {
            paths: keeps_paths.then(Vec::new),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, path: &ReversePath, known: RecipientFacts) {
        self.are_listed = Some(known.is_listed && self.are_listed != Some(false));
        self.have_reader |= known.is_reader;
        self.are_for_reports = Some(known.is_for_reports && self.are_for_reports != Some(false));
        self.have_one_for_reports |= known.is_for_reports;
        let path = path.as_bytes();
        self.octets = self.octets.saturating_add(path.len());
        let fits = |paths: &Vec<_>| paths.len() < MAX_RECIPIENTS && self.octets <= MAX_KEPT_OCTETS;
        self.paths = self.paths.take().filter(fits);
        if let Some(paths) = &mut self.paths {
            paths.push(path.to_vec());
        }
    }

    /// Whether there are some, and mail to each of them alone is not judged.
    pub(super) fn are_all_listed(&self) -> bool {
        self.are_listed == Some(true)
    }

    /// Whether whoever gets the copies receives the message anyway.
    pub(super) fn have_reader(&self) -> bool {
        self.have_reader
    }

    /// Whether there are some, and each is an address of ours for reports.
    pub(super) fn are_all_for_reports(&self) -> bool {
        self.are_for_reports == Some(true)
    }

    /// Whether one of them is.
    pub(super) fn have_one_for_reports(&self) -> bool {
        self.have_one_for_reports
    }

    /// The paths; none at all when they were too many, so that no rule holds that asks about them
    /// all.
    pub(super) fn into_paths(self) -> Vec<Vec<u8>> {
        self.paths.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(keeps_paths: bool, paths: &[&[u8]]) -> usize {
        let mut recipients = Recipients::new(keeps_paths);
        for path in paths {
            recipients.add(&ReversePath::new(path), RecipientFacts::default());
        }
        recipients.into_paths().len()
    }

    #[test]
    fn paths_are_kept_only_where_somebody_asks_about_them() {
        assert_eq!(kept(true, &[b"<a@example.org>", b"<b@example.org>"]), 2);
        assert_eq!(kept(false, &[b"<a@example.org>", b"<b@example.org>"]), 0);
    }

    #[test]
    fn of_too_many_recipients_none_is_kept() {
        let path: &[u8] = b"<a@example.org>";
        assert_eq!(kept(true, &vec![path; MAX_RECIPIENTS]), MAX_RECIPIENTS);
        assert_eq!(kept(true, &vec![path; MAX_RECIPIENTS + 1]), 0);
        assert_eq!(kept(true, &vec![path; MAX_RECIPIENTS + 2]), 0);
    }

    #[test]
    fn of_paths_that_are_too_long_together_none_is_kept() {
        let long = vec![b'a'; 1024];
        let count = MAX_KEPT_OCTETS / long.len();
        let mut paths: Vec<&[u8]> = vec![&long; count];
        assert_eq!(kept(true, &paths), count);
        paths.push(b"a");
        assert_eq!(kept(true, &paths), 0);
    }

    #[test]
    fn past_all_limits_lists_and_copies_still_know_who_is_there() {
        let listed = RecipientFacts {
            is_listed: true,
            ..RecipientFacts::default()
        };
        let reader = RecipientFacts {
            is_reader: true,
            ..listed
        };
        let mut recipients = Recipients::new(true);
        assert!(!recipients.are_all_listed(), "nobody is not everybody");
        for _ in 0..=MAX_RECIPIENTS {
            recipients.add(&ReversePath::new(b"<a@example.org>"), listed);
        }
        assert!(recipients.are_all_listed() && !recipients.have_reader());
        recipients.add(&ReversePath::new(b"<reader@example.org>"), reader);
        assert!(recipients.are_all_listed() && recipients.have_reader());
        recipients.add(&ReversePath::new(b"<b@example.org>"), RecipientFacts::default());
        recipients.add(&ReversePath::new(b"<a@example.org>"), listed);
        assert!(!recipients.are_all_listed() && recipients.have_reader());
    }

    #[test]
    fn d18_mail_is_for_reports_when_it_is_for_nobody_else() {
        let for_reports = RecipientFacts {
            is_for_reports: true,
            ..RecipientFacts::default()
        };
        let path = ReversePath::new(b"<dmarc@example.org>");
        let mut recipients = Recipients::new(false);
        assert!(!recipients.are_all_for_reports(), "nobody is not everybody");
        recipients.add(&path, for_reports);
        recipients.add(&path, for_reports);
        assert!(recipients.are_all_for_reports() && recipients.have_one_for_reports());
        recipients.add(&path, RecipientFacts::default());
        recipients.add(&path, for_reports);
        assert!(!recipients.are_all_for_reports() && recipients.have_one_for_reports());
    }
}
