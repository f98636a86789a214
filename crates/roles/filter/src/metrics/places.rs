//! The place of each value among its words; the compiler sees to it that none is left out.

use landmarc_auth::arc::ArcStatus;
use landmarc_auth::dkim::DkimResult;
use landmarc_auth::spf::SpfResult;
use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_receiver::action::SmtpAction;
use landmarc_receiver::disposition::Disposition;

use super::words;

/// Of a DMARC result.
pub fn dmarc(result: &DmarcResult) -> usize {
    match result {
        DmarcResult::None => 0,
        DmarcResult::Pass(_) => 1,
        DmarcResult::Fail => 2,
        DmarcResult::TempError => 3,
        DmarcResult::PermError => 4,
    }
}

/// Of a disposition.
pub fn disposition(disposition: Disposition) -> usize {
    match disposition {
        Disposition::None => 0,
        Disposition::Pass => 1,
        Disposition::Quarantine => 2,
        Disposition::Reject => 3,
    }
}

/// Of what the MTA is told.
pub fn step(step: &SmtpAction) -> usize {
    match step {
        SmtpAction::Accept => 0,
        SmtpAction::Quarantine(..) => 1,
        SmtpAction::Reject(_) => 2,
        SmtpAction::TempFail(_) => 3,
    }
}

/// Of an SPF result.
pub fn spf(result: SpfResult) -> usize {
    match result {
        SpfResult::None => 0,
        SpfResult::Neutral => 1,
        SpfResult::Pass => 2,
        SpfResult::Fail => 3,
        SpfResult::SoftFail => 4,
        SpfResult::TempError => 5,
        SpfResult::PermError => 6,
    }
}

/// Of the result of a signature.
pub fn dkim(verdict: DkimResult) -> usize {
    match verdict {
        DkimResult::Pass => 0,
        DkimResult::Fail => 1,
        DkimResult::Policy => 2,
        DkimResult::Neutral => 3,
        DkimResult::TempError => 4,
        DkimResult::PermError => 5,
    }
}

/// Of an ARC result.
pub fn arc(status: ArcStatus) -> usize {
    match status {
        ArcStatus::None => 0,
        ArcStatus::Pass => 1,
        ArcStatus::Fail => 2,
    }
}

/// The place of a message in the table of all three.
pub const fn message(dmarc: usize, disposition: usize, step: usize) -> usize {
    (dmarc * words::DISPOSITION.len() + disposition) * words::STEP.len() + step
}

#[cfg(test)]
mod tests {
    use landmarc_auth::arc::ArcStatus;
    use landmarc_auth::dkim::DkimResult;
    use landmarc_auth::spf::SpfResult;
    use landmarc_dmarc::evaluation::DmarcResult;
    use landmarc_receiver::RefusalReply;
    use landmarc_receiver::action::SmtpAction;
    use landmarc_receiver::disposition::Disposition;
    use landmarc_receiver::policy::QuarantineBy;

    use landmarc_runtime::metrics::{OTHER, place_of};

    use super::*;

    /// One word for one thing: labels say what the log says.
    #[test]
    fn each_value_is_at_the_place_of_its_word() {
        for result in [
            DmarcResult::None,
            DmarcResult::Fail,
            DmarcResult::TempError,
            DmarcResult::PermError,
        ] {
            assert_eq!(words::DMARC[dmarc(&result)], result.as_str());
        }
        for done in [
            Disposition::None,
            Disposition::Pass,
            Disposition::Quarantine,
            Disposition::Reject,
        ] {
            assert_eq!(words::DISPOSITION[disposition(done)], done.as_str());
        }
        let reply = || RefusalReply::new(450, "4.7.1", "later");
        for told in [
            SmtpAction::Accept,
            SmtpAction::Quarantine(QuarantineBy::Hold, String::new()),
            SmtpAction::Reject(reply()),
            SmtpAction::TempFail(reply()),
        ] {
            assert_eq!(words::STEP[step(&told)], told.as_str());
        }
        for result in [
            SpfResult::None,
            SpfResult::Neutral,
            SpfResult::Pass,
            SpfResult::Fail,
            SpfResult::SoftFail,
            SpfResult::TempError,
            SpfResult::PermError,
        ] {
            assert_eq!(words::SPF[spf(result)], result.as_str());
        }
        for verdict in [
            DkimResult::Pass,
            DkimResult::Fail,
            DkimResult::Policy,
            DkimResult::Neutral,
            DkimResult::TempError,
            DkimResult::PermError,
        ] {
            assert_eq!(words::DKIM[dkim(verdict)], verdict.as_str());
        }
        for status in [ArcStatus::None, ArcStatus::Pass, ArcStatus::Fail] {
            assert_eq!(words::ARC[arc(status)], status.as_str());
        }
    }

    #[test]
    fn every_kind_of_message_has_a_place_of_its_own() {
        let mut places: Vec<usize> = Vec::new();
        for dmarc in 0..words::DMARC.len() {
            for disposition in 0..words::DISPOSITION.len() {
                places.extend((0..words::STEP.len()).map(|step| message(dmarc, disposition, step)));
            }
        }
        assert_eq!(places, (0..80).collect::<Vec<_>>());
    }

    #[test]
    fn a_word_that_is_not_in_the_table_is_counted_as_other() {
        assert_eq!(place_of("dns", &words::FAILURE), 0);
        assert_eq!(words::FAILURE[place_of("flood", &words::FAILURE)], OTHER);
        assert_eq!(words::SKIPPED[place_of("", &words::SKIPPED)], OTHER);
    }
}
