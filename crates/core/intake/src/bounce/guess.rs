//! Bounces in words. Best effort, and only ever about a delivery whose token came back.

use mail_parser::{HeaderValue, Message};

use super::{BounceAction, NotABounce, RecipientStatus};
use landmarc_report::refusal::enhanced_code;

/// How much of the text is searched, in characters. The reason stands above the returned message.
const MAX_TEXT_CHARACTERS: usize = 8_192;
/// Who sends bounces.
const DAEMONS: [&str; 2] = ["mailer-daemon", "postmaster"];
/// What subjects of bounces have in them, in lower case.
const BOUNCE_SUBJECTS: [&str; 8] = [
    "undeliver",
    "delivery status notification",
    "delivery fail",
    "delivery problem",
    "failure notice",
    "returned mail",
    "mail delivery",
    "message not delivered",
];
/// How subjects of automatic replies begin, in lower case.
const REPLY_SUBJECTS: [&str; 6] = [
    "auto:",
    "automatic reply",
    "autoreply",
    "auto-reply",
    "out of office",
    "vacation",
];
/// What is said of messages that are still on their way, in lower case.
const DELAY_WORDS: [&str; 6] = [
    "delayed",
    "will be retried",
    "will retry",
    "will keep trying",
    "still trying",
    "not been delivered yet",
];

pub(super) fn read(message: &Message<'_>) -> Result<RecipientStatus, NotABounce> {
    let subject = message.subject().unwrap_or_default().to_lowercase();
    // Exim's field. It stands above all else, for Exim calls its bounces auto-replied, as vacation programs do.
    let failed = raw_field(message, "X-Failed-Recipients");
    if failed.is_none() && is_automatic_reply(message, &subject) {
        return Err(NotABounce::AutomaticReply);
    }
    let has_sign = failed.is_some()
        || is_from_daemon(message)
        || BOUNCE_SUBJECTS.iter().any(|words| subject.contains(words));
    if !has_sign {
        return Err(NotABounce::NoSign);
    }
    let text = message.body_text(0).unwrap_or_default();
    let text: String = text.chars().take(MAX_TEXT_CHARACTERS).collect();
    let lower = text.to_lowercase();
    let is_delayed = DELAY_WORDS
        .iter()
        .any(|words| subject.contains(words) || lower.contains(words));
    Ok(RecipientStatus {
        action: if is_delayed {
            BounceAction::Delayed
        } else {
            BounceAction::Failed
        },
        status: enhanced_code(&text).map(str::to_owned),
        diagnostic: telling_line(&text).to_owned(),
        final_recipient: failed.map(|value| value.trim().to_owned()),
    })
}

/// RFC 3834 §2 and §5, and the fields of programs older than that.
fn is_automatic_reply(message: &Message<'_>, subject: &str) -> bool {
    let is_replied = raw_field(message, "Auto-Submitted").is_some_and(|value| {
        let value = value.trim().to_ascii_lowercase();
        value.starts_with("auto-replied")
    });
    let has_field = ["X-Autoreply", "X-Autorespond", "X-Auto-Reply"]
        .iter()
        .any(|name| raw_field(message, name).is_some());
    let precedence = raw_field(message, "Precedence")
        .unwrap_or_default()
        .to_ascii_lowercase();
    is_replied
        || has_field
        || precedence.contains("auto")
        || REPLY_SUBJECTS.iter().any(|words| subject.starts_with(words))
}

fn is_from_daemon(message: &Message<'_>) -> bool {
    let Some(HeaderValue::Address(from)) = message.header("From") else {
        return false;
    };
    from.first()
        .and_then(|author| author.address())
        .and_then(|address| address.split('@').next())
        .is_some_and(|local_part| {
            DAEMONS
                .iter()
                .any(|daemon| local_part.eq_ignore_ascii_case(daemon))
        })
}

fn raw_field<'a>(message: &'a Message<'_>, name: &str) -> Option<&'a str> {
    message
        .headers_raw()
        .find(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The first line that has a code in it; without any, the first line.
fn telling_line(text: &str) -> &str {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines()
        .find(|line| enhanced_code(line).is_some() || has_reply_code(line))
        .or_else(|| lines().next())
        .unwrap_or_default()
}

/// A word that is an SMTP reply code of a refusal (RFC 5321 §4.2.1).
fn has_reply_code(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|b| b.is_ascii_digit())
    })
}
