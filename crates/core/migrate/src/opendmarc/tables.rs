//! Rows of OpenDMARC's database, as `opendmarc-import` fills it (compatibility checklist 2.9): the tables
//! of 1.2, of 1.4 and later ones. Who asks the database fills [`MessageRow`]; what it means is decided here, and
//! a message has the same key and counts as the same, whether it comes from a history file or from here.
//!
//! What Domain Owners publish is known for each From domain only, as it was last seen (`requests`).

use super::message::{Message, RecordedSignature, Seal};
use crate::counted::addresses;

/// A row of `messages` with the names that it points to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageRow {
    /// `messages.id`
    pub id: u64,
    /// `messages.jobid`
    pub job: String,
    /// `reporters.name`
    pub reporter: String,
    /// `messages.date`, in Unix seconds.
    pub received_s: i64,
    /// `ipaddr.addr`
    pub client: String,
    /// The name of `messages.from_domain`.
    pub author_domain: String,
    /// The name of `messages.env_domain`.
    pub mail_from: String,
    /// The name of `messages.policy_domain`.
    pub policy_domain: String,
    /// `messages.policy`
    pub policy: i64,
    /// `messages.disp`
    pub action: i64,
    /// `messages.spf`
    pub spf: i64,
    /// `messages.spf_scope`, after 1.4.
    pub spf_scope: Option<i64>,
    /// `messages.align_dkim`
    pub align_dkim: i64,
    /// `messages.align_spf`
    pub align_spf: i64,
    /// `messages.arc_policy`, from 1.4 on.
    pub arc_policy: Option<i64>,
    /// The row of `requests` for the From domain; none when it has expired.
    pub request: Option<RequestRow>,
    /// The rows of `signatures`.
    pub signatures: Vec<RecordedSignature>,
    /// The rows of `arcseals` and `arcauthresults`.
    pub seals: Vec<Seal>,
}

/// What a domain publishes, as it was last seen. Numbers are those of letters, 0 for a tag that is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestRow {
    /// Where reports are asked for, or where `opendmarc-params` had them go.
    pub repuri: String,
    /// The tag `adkim`.
    pub adkim: i64,
    /// The tag `aspf`.
    pub aspf: i64,
    /// The tag `p`.
    pub policy: i64,
    /// The tag `sp`.
    pub spolicy: i64,
    /// The tag `pct`.
    pub pct: i64,
    /// The tag `fo`, after 1.4: a bit for each option.
    pub fo: i64,
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message {id} ({job:?}): {column} {value:?} {wrong}")]
pub struct RowFault {
    /// `messages.id`
    pub id: u64,
    /// Its queue id.
    pub job: String,
    /// Where the value stands.
    pub column: &'static str,
    /// The value.
    pub value: String,
    /// What is wrong with it.
    pub wrong: &'static str,
}

const UNUSABLE: &str = "cannot be used";

impl RowFault {
    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        "the message is not counted; its line in the history file, if that is still there, may be whole"
    }
}

impl MessageRow {
    /// This row has a value that no report can bear ([`Meaning::Unusable`](super::message::Meaning)).
    #[must_use]
    pub fn fault(&self, key: &str, value: &str) -> RowFault {
        let column = if key == "from" {
            "from_domain"
        } else {
            "policy_domain"
        };
        self.fault_in(column, value.to_owned(), UNUSABLE)
    }

    /// This row has a time that is still to come ([`MAX_AHEAD_S`](crate::MAX_AHEAD_S)).
    #[must_use]
    pub fn ahead(&self) -> RowFault {
        self.fault_in(
            "date",
            self.received_s.to_string(),
            "is more than a day ahead of now",
        )
    }

    fn fault_in(&self, column: &'static str, value: String, wrong: &'static str) -> RowFault {
        RowFault {
            id: self.id,
            job: self.job.clone(),
            column,
            value,
            wrong,
        }
    }

    /// The message.
    ///
    /// # Errors
    /// When its client is no address or its time is none.
    pub fn message(&self) -> Result<Message, RowFault> {
        let fault = |column, value| self.fault_in(column, value, UNUSABLE);
        let client = self.client.parse();
        let received_s = u64::try_from(self.received_s);
        // Without a request nobody asks for a report, as for a domain without a record.
        let request = self.request.clone().unwrap_or_default();
        Ok(Message {
            job: self.job.clone(),
            reporter: self.reporter.clone(),
            received_s: received_s.map_err(|_| fault("date", self.received_s.to_string()))?,
            client: client.map_err(|_| fault("ipaddr.addr", self.client.clone()))?,
            author_domain: self.author_domain.clone(),
            mail_from: self.mail_from.clone(),
            spf: Some(self.spf),
            spf_scope: self.spf_scope,
            dkim: self.signatures.clone(),
            policy_domain: self.policy_domain.clone(),
            policy: self.policy,
            // The importer joins them by commas, within 255 octets: the last one may be cut, and is then no address
            // that anything is sent to.
            rua: addresses(&request.repuri),
            pct: request.pct,
            adkim: request.adkim,
            aspf: request.aspf,
            p: request.policy,
            sp: request.spolicy,
            fo: request.fo,
            align_dkim: self.align_dkim,
            align_spf: self.align_spf,
            arc: (self.arc_policy == Some(0)).then(|| self.seals.clone()),
            action: self.action,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Meaning, NotReported};
    use super::*;
    use crate::opendmarc::history::{History, HistoryEvent, write};

    fn row() -> MessageRow {
        MessageRow {
            id: 17,
            job: "4ZQ0000001".to_owned(),
            reporter: "mx01.example.net".to_owned(),
            received_s: 1_780_272_000,
            client: "192.0.2.7".to_owned(),
            author_domain: "example.com".to_owned(),
            mail_from: "bounce.example.com".to_owned(),
            policy_domain: "example.com".to_owned(),
            policy: 16,
            action: 2,
            spf: 7,
            spf_scope: None,
            align_dkim: 5,
            align_spf: 5,
            arc_policy: Some(2),
            request: Some(RequestRow {
                repuri: "mailto:a@example.com,mailto:b@example.com!10m".to_owned(),
                adkim: 114,
                aspf: 114,
                policy: 114,
                spolicy: 0,
                pct: 100,
                fo: 0,
            }),
            signatures: vec![RecordedSignature {
                domain: "example.com".to_owned(),
                selector: Some("s1".to_owned()),
                result: 7,
            }],
            seals: Vec::new(),
        }
    }

    /// A message counts once, whichever way it comes.
    #[test]
    fn a_row_means_what_its_record_in_the_history_file_means() {
        let message = row().message().unwrap();
        let mut found = Vec::new();
        let mut history = History::new();
        history.feed(write(&message).as_bytes(), &mut |one| found.push(one));
        history.end(&mut |one| found.push(one));
        let [HistoryEvent::Message(1, of_file)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(of_file.meaning(), message.meaning());
        let Meaning::Counts(counted) = message.meaning() else {
            panic!("{message:?}");
        };
        assert_eq!(
            counted.row.published.rua,
            ["mailto:a@example.com", "mailto:b@example.com!10m"]
        );
    }

    #[test]
    fn without_a_request_a_message_counts_nowhere() {
        let expired = MessageRow {
            request: None,
            ..row()
        };
        let meaning = expired.message().unwrap().meaning();
        assert_eq!(meaning, Meaning::IsNotReported(NotReported::NoPolicy));
    }

    #[test]
    fn a_row_that_cannot_be_used_is_told_with_its_number_and_a_remedy() {
        let fault = MessageRow {
            client: "unknown".to_owned(),
            ..row()
        }
        .message()
        .unwrap_err();
        assert_eq!(
            fault.to_string(),
            r#"message 17 ("4ZQ0000001"): ipaddr.addr "unknown" cannot be used"#
        );
        assert!(!fault.remedy().is_empty());
        insta::assert_snapshot!(
            row().ahead().to_string(),
            @r#"message 17 ("4ZQ0000001"): date "1780272000" is more than a day ahead of now"#
        );
        assert!(
            MessageRow {
                received_s: -1,
                ..row()
            }
            .message()
            .is_err()
        );
    }

    #[test]
    fn seals_count_only_where_they_overrode_the_policy() {
        let seals = vec![Seal {
            instance: 1,
            domain: "list.example".to_owned(),
            selector: "arc".to_owned(),
            client: String::new(),
        }];
        for (arc_policy, is_named) in [(Some(0), true), (Some(2), false), (None, false)] {
            let row = MessageRow {
                arc_policy,
                seals: seals.clone(),
                ..row()
            };
            assert_eq!(row.message().unwrap().arc.is_some(), is_named, "{arc_policy:?}");
        }
    }
}
