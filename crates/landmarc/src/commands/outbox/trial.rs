//! `outbox send --test`: one small message by the way that reports go, of which nothing is kept.

use landmarc_delivery::DeliveryOutcome;
use landmarc_report::Address;
use landmarc_report::mime::{MailHead, MimePart, Multipart, ReportMail, compose};
use serde_json::json;

use super::common::{NO_SECRET, OutputOptions};
use super::setup::{self, OutboxSetup};
use crate::exit::Exit;
use crate::failure::{CommandResult, failure};
use crate::notes::note;
use crate::output::print;
use landmarc_mail::text::visible;
use landmarc_reporter::{ReportSettings, RunClock};

/// What the message is called: filters and people know it by that.
const SUBJECT: &str = "landmarc test message";

/// Sends it, and tells what was answered.
///
/// # Errors
/// With what is printed, and the exit code.
pub(super) fn run(
    setup: &OutboxSetup,
    to: &Address,
    clock: RunClock,
    output: OutputOptions,
) -> CommandResult {
    let means = setup.means(&NO_SECRET)?;
    if setup.terms.keys.dkim_keys.is_empty() {
        note!("landmarc: the message is not signed: report.dkim_keys is empty");
    }
    let now_ms = clock.now_ms();
    let message = message(&setup.terms, to, now_ms, std::process::id());
    let (recipient, name) = (to.to_string(), name(now_ms, std::process::id()));
    let outcome = setup::run(|stop| async move {
        let mailer = &means.mailer;
        let outcome = tokio::select! {
            outcome = mailer.deliver(&message, &recipient, &name, now_ms / 1_000, None) => outcome,
            () = stop.wait() => return Err(failure!(Exit::Findings, "stopped: the message may have arrived or not")),
        };
        mailer.close().await;
        Ok(outcome)
    })??;
    let (is_delivered, answer) = match &outcome {
        DeliveryOutcome::Delivered { reply } => (true, reply.clone()),
        other => (
            false,
            other.failure().map(ToString::to_string).unwrap_or_default(),
        ),
    };
    let exit = if is_delivered { Exit::Fine } else { Exit::Findings };
    if output.quiet && is_delivered {
        return Ok(exit);
    }
    print(&match output.as_json {
        true => {
            let object = json!({"mode": "test", "destination": to.to_string(), "delivered": is_delivered,
                                "reason": answer});
            format!("{object}\n")
        }
        false => format!("{}: {}\n", visible(&to.to_string()), visible(&answer)),
    })?;
    Ok(exit)
}

fn message(terms: &ReportSettings, to: &Address, now_ms: u64, process: u32) -> ReportMail {
    let reporter = &terms.reporter;
    let text = format!(
        "This is a test message of {organization}.\n\n\
         Somebody there runs landmarc, which sends DMARC reports to the owners of domains, and asked it\n\
         to send this message to you. It comes by the way that reports go: from {email},\n\
         submitted by {submitter}. It has no report in it, and needs no answer.\n",
        organization = reporter.organization,
        email = reporter.email,
        submitter = reporter.submitter,
    );
    let head = MailHead {
        from: &terms.email,
        display_name: &reporter.organization,
        to,
        subject: SUBJECT,
        date: now_ms / 1_000,
        message_id: &format!("<{}@{}>", name(now_ms, process), reporter.submitter),
    };
    let content = Multipart {
        subtype: "mixed",
        parameters: &[],
        parts: vec![MimePart::text(&text)],
    };
    compose(&head, &content)
}

/// What stands before the `@` of its Message-ID, and in front of `.eml`: another one for each message.
fn name(now_ms: u64, process: u32) -> String {
    format!("landmarc-test.{now_ms}.{process}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_that_it_is_a_test_and_whose() {
        let settings = "[report]\nemail = \"noreply@r.example\"\norganization = \"R & Co\"\n";
        let terms = ReportSettings::of(&landmarc_settings::read(settings).unwrap().0).unwrap();
        let to = Address::parse("postmaster@a.example").unwrap();
        let message = message(&terms, &to, 1_780_272_000_999, 17);
        assert_eq!(message.message_id, "<landmarc-test.1780272000999.17@r.example>");
        let text = String::from_utf8(message.to_bytes()).unwrap();
        for line in [
            "From: \"R & Co\" <noreply@r.example>\r\n",
            "To: postmaster@a.example\r\n",
            "Subject: landmarc test message\r\n",
            "Date: Mon, 01 Jun 2026 00:00:00 +0000\r\n",
            "This is a test message of R & Co.\r\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
