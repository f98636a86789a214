//! The fields of a delivery status notification (RFC 3464 §2.1): blocks of fields, the first about the
//! message, each of the others about one recipient.

use super::{BounceAction, RecipientStatus};
use landmarc_report::refusal::enhanced_code;

/// Reads the notification. Our messages have one recipient; where there are several, because an address led to
/// others, the worst counts.
pub(super) fn read(text: &str) -> Option<RecipientStatus> {
    let mut worst: Option<RecipientStatus> = None;
    let mut block = Block::default();
    let mut field = String::new();
    // An empty line at the end finishes the last block.
    for line in text.lines().chain([""]) {
        let is_empty = line.trim().is_empty();
        if line.starts_with([' ', '\t']) && !is_empty {
            field.push(' ');
            field.push_str(line.trim());
            continue;
        }
        if let Some((name, value)) = field.split_once(':') {
            block.set(name, value);
        }
        line.clone_into(&mut field);
        if is_empty
            && let Some(found) = std::mem::take(&mut block).recipient()
            && worst.as_ref().is_none_or(|worst| found.action < worst.action)
        {
            worst = Some(found);
        }
    }
    worst
}

/// The fields of one block that we read, the first of each name.
#[derive(Default)]
struct Block {
    action: Option<String>,
    status: Option<String>,
    diagnostic: Option<String>,
    final_recipient: Option<String>,
}

impl Block {
    /// None for the block about the message. Some programs leave out the action, some the status; without the
    /// empty line between blocks all is one, and still says what happened.
    fn recipient(self) -> Option<RecipientStatus> {
        let status = self.status.as_deref().and_then(enhanced_code).map(str::to_owned);
        let action = match (self.action.as_deref().map(action), status.as_deref()) {
            (Some(Some(action)), _) => action,
            (None, None) => return None,
            // RFC 3463 §3: the class of the status.
            (_, Some(status)) if status.starts_with('2') => BounceAction::Delivered,
            (_, Some(status)) if status.starts_with('4') => BounceAction::Delayed,
            (_, _) => BounceAction::Failed,
        };
        Some(RecipientStatus {
            action,
            status,
            diagnostic: self.diagnostic.as_deref().map(after_type).unwrap_or_default(),
            final_recipient: self.final_recipient.as_deref().map(after_type),
        })
    }

    fn set(&mut self, name: &str, value: &str) {
        let place = match name.trim().to_ascii_lowercase().as_str() {
            "action" => &mut self.action,
            "status" => &mut self.status,
            "diagnostic-code" => &mut self.diagnostic,
            "final-recipient" => &mut self.final_recipient,
            _ => return,
        };
        place.get_or_insert_with(|| value.trim().to_owned());
    }
}

/// The keyword, whatever comment follows it.
fn action(value: &str) -> Option<BounceAction> {
    let word = value.split(|c: char| !c.is_ascii_alphabetic()).next()?;
    [
        BounceAction::Failed,
        BounceAction::Delayed,
        BounceAction::Delivered,
        BounceAction::Relayed,
        BounceAction::Expanded,
    ]
    .into_iter()
    .find(|action| word.eq_ignore_ascii_case(action.as_str()))
}

/// `smtp; 550 no` and `rfc822; r@example.com` without the type (RFC 3464 §2.1.2).
fn after_type(value: &str) -> String {
    let (_, text) = value.split_once(';').unwrap_or(("", value));
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> RecipientStatus {
        read(text).unwrap()
    }

    #[test]
    fn the_worst_recipient_counts() {
        let text = "Reporting-MTA: dns; mx.example\n\n\
                    Final-Recipient: rfc822; a@example.com\nAction: delivered\nStatus: 2.0.0\n\n\
                    Final-Recipient: rfc822; b@example.com\nAction: FAILED (no)\nStatus: 5.1.1 (bad)\n\
                    Diagnostic-Code: smtp; 550 5.1.1 User\n   unknown\n\n\
                    Final-Recipient: rfc822; c@example.com\nAction: delayed\nStatus: 4.4.1\n";
        assert_eq!(
            told(text),
            RecipientStatus {
                action: BounceAction::Failed,
                status: Some("5.1.1".to_owned()),
                diagnostic: "550 5.1.1 User unknown".to_owned(),
                final_recipient: Some("b@example.com".to_owned()),
            }
        );
    }

    #[test]
    fn a_missing_action_or_empty_line_is_made_up_for() {
        assert_eq!(told("Status: 5.2.2").action, BounceAction::Failed);
        assert_eq!(told("Status: 4.2.2").action, BounceAction::Delayed);
        assert_eq!(told("Status: 2.0.0").action, BounceAction::Delivered);
        assert_eq!(told("Action: gone").action, BounceAction::Failed);
        assert_eq!(told("Action: relayed\r\n\r\n").action, BounceAction::Relayed);
        let one_block = told("Reporting-MTA: dns; mx\r\nAction: expanded\r\nStatus: 2.1.5\r\n");
        assert_eq!(
            (one_block.action, one_block.diagnostic.as_str()),
            (BounceAction::Expanded, "")
        );
    }

    #[test]
    fn the_block_about_the_message_says_nothing_of_a_recipient() {
        assert_eq!(read("Reporting-MTA: dns; mx.example\n\n"), None);
        assert_eq!(read(""), None);
        assert_eq!(read(": \n :\n\n\n"), None);
    }
}
