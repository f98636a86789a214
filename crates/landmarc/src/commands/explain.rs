//! `explain`: why a message was treated as it was, days later.

use clap::Args;
use landmarc_observation::Observation;
use landmarc_settings::Settings;
use landmarc_store::Reader;

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::output::{print, terminal_width};
use crate::records::{SelectedStore, StoreArguments, object, word};
use crate::wrap::{broken, wrapped};
use landmarc_filter::pasted;
use landmarc_filter::trace::with_id;
use landmarc_mail::text::{visible, visible_lines};

/// What the help says below the options.
const AFTER_HELP: &str = "\
An id may be pasted with what stood around it: 4ZQ0000001:, (id=0n2v5x8k4q1m), a whole line of a \
log or a bounce in quotes: what stands where ids are written is tried first, then what looks like \
one. Several messages may have had one queue id; all are printed, oldest first.\n\n\
Exit code: 0 when it was found, 2 when nothing is recorded under this id, 64 for a wrong command \
line, 65 for a file that is no store of this version, 69 when the store cannot be read, 78 for \
wrong settings.";

/// What the head of a message has: always, and when there is a value.
const ALWAYS: [&str; 13] = [
    "at",
    "queue_id",
    "id",
    "client",
    "author_domain",
    "spf",
    "dkim",
    "arc",
    "dmarc",
    "policy_domain",
    "policy",
    "disposition",
    "action",
];
const WHEN_PRESENT: [&str; 3] = ["override", "rule", "cause"];

/// The column in which the values of the head begin.
const VALUES: usize = 17;

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ExplainArguments {
    /// The queue id of the mail server, or the short id in the SMTP reply
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: String,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object for each message, on a line of its own
    #[arg(long)]
    json: bool,
}

/// Looks it up and prints.
pub(crate) fn run(arguments: &ExplainArguments) -> CommandResult {
    let ids = pasted::candidates(&arguments.id);
    if ids.is_empty() {
        return Err(failure!(
            Exit::Usage,
            "{:?} is no id: give a queue id, or the id of an SMTP reply",
            arguments.id
        ));
    }
    let store = arguments.store.find()?;
    // What this host took is found here, also while the database of the fleet is away.
    let mut found = match store.own() {
        Some(own) => look_up(&own.read()?, &ids)?,
        None => Vec::new(),
    };
    if found.is_empty() {
        found = look_up(&store.read()?, &ids)?;
    }
    if found.is_empty() {
        return Err(not_found(&ids, &store));
    }
    let text = if arguments.json {
        as_json(&found)
    } else {
        as_text(&found, terminal_width())
    };
    print(&text)
}

/// The messages of the first id that has any.
fn look_up(reader: &Reader, ids: &[String]) -> Result<Vec<Observation>, Failure> {
    for id in ids.iter().flat_map(|id| pasted::spellings(id)) {
        let found = reader.explain(&id)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The remedies are what has been the matter, the likeliest first.
fn not_found(ids: &[String], store: &SelectedStore) -> Failure {
    let asked: Vec<_> = ids.iter().map(|id| format!("{id:?}")).collect();
    let (asked, place) = (asked.join(" or "), &store.place);
    failure!(Exit::Unknown, "nothing is recorded under {asked} in {place}")
        .with_remedy(
            "ids look like 0n2v5x8k4q1m (12 characters, in SMTP replies and logs), or as the mail server writes them",
        )
        .with_remedy(how_long(store.settings.as_ref()))
        .with_remedy(match store.file() {
            Some(_) => {
                "each host records its own messages: ask the one that took this one, or read a backup with --store"
            }
            None => "another host may not have handed it on yet: landmarc store status tells",
        })
        .with_remedy("what is not judged is not recorded: its line in the log has skipped= with the reason")
        .with_remedy(
            "nor is mail that came while the filter was down, or past it: then the log has no line of it at all",
        )
        .with_remedy(
            "a record may still wait in memory for a store that cannot be written: /readyz tells (web.listen)",
        )
}

fn how_long(settings: Option<&Settings>) -> String {
    match settings.map(|settings| &settings.store) {
        Some(store) if !store.observations => {
            "messages are not recorded, for store.observations is false".to_owned()
        }
        Some(store) => format!(
            "messages are kept for {} days (store.observation_days), or less where store.max_size = {} is reached",
            store.observation_days, store.max_size
        ),
        None => "messages are kept for the days of store.observation_days".to_owned(),
    }
}

fn as_json(found: &[Observation]) -> String {
    let line = |message: &Observation| {
        let mut object = object(message);
        object.insert("trace".to_owned(), explanation(message).into());
        format!("{}\n", serde_json::Value::Object(object))
    };
    found.iter().map(line).collect()
}

/// Stored explanations are as wide as a usual terminal: a narrower one gets their lines broken.
fn as_text(found: &[Observation], width: Option<usize>) -> String {
    let parts = found.iter().zip(1..).map(|(message, number)| {
        let count = match found.len() {
            1 => String::new(),
            all => format!("message {number} of {all}\n"),
        };
        let explanation = explanation(message).map_or_else(
            || NO_EXPLANATION.to_owned(),
            |explanation| visible_lines(&explanation).into_owned(),
        );
        let explanation = width.map_or_else(|| explanation.clone(), |width| wrapped(&explanation, width));
        format!("{count}{}\n{explanation}", head(message, width))
    });
    parts.collect::<Vec<_>>().join("\n\n")
}

const NO_EXPLANATION: &str = "\
There is no explanation of this message: it was recorded without one, or that was given up when the\n\
store could not be written and memory ran short. What is above was kept.\n";

/// The explanation with the message's own id in it.
fn explanation(message: &Observation) -> Option<String> {
    (!message.trace.is_empty()).then(|| with_id(&message.trace, &message.id))
}

/// A line for each thing that is known, the names in a column.
fn head(row: &Observation, width: Option<usize>) -> String {
    let mut lines: Vec<(&str, String)> = ALWAYS.iter().map(|name| (*name, word(row, name))).collect();
    if row.enforced_action != row.action {
        lines.push(("enforced_action", word(row, "enforced_action")));
    }
    let present = WHEN_PRESENT.iter().map(|name| (*name, word(row, name)));
    lines.extend(present.filter(|(_, word)| word != "-"));
    lines.extend(["questions", "ms"].map(|name| (name, word(row, name))));
    let line = |(name, word): &(&str, String)| {
        let line = format!("{name:<15}  {}", visible(word));
        width.map_or_else(|| line.clone(), |width| broken(&line, width, VALUES)) + "\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::row;
    use landmarc_filter::trace::ID_MARK;

    fn message(trace: Option<&str>) -> Observation {
        Observation {
            trace: trace.unwrap_or_default().into(),
            cause: "SPF of example.com forbids the client".to_owned(),
            ..row()
        }
    }

    #[test]
    fn the_head_says_what_happened_and_the_explanation_why() {
        let trace = format!("Refused.\n  550 5.7.1 (id={ID_MARK})\n");
        insta::assert_snapshot!(as_text(&[message(Some(&trace))], None), @r#"
        at               2026-06-01T00:00:00.005Z
        queue_id         4ZQ0000001
        id               0n2v5x8k4q1m
        client           192.0.2.7
        author_domain    mail.example.com
        spf              fail
        dkim             none
        arc              none
        dmarc            fail
        policy_domain    example.com
        policy           reject
        disposition      none
        action           accept
        enforced_action  reject
        override         local_policy: observing; other
        rule             partners
        cause            SPF of example.com forbids the client
        questions        6
        ms               38

        Refused.
          550 5.7.1 (id=0n2v5x8k4q1m)
        "#);
    }

    #[test]
    fn what_is_absent_takes_no_line_and_a_missing_explanation_says_so() {
        let mut message = message(None);
        message.enforced_action = "accept".to_owned();
        message.rule = None;
        message.overrides = Vec::new();
        message.cause = String::new();
        message.queue_id = String::new();
        insta::assert_snapshot!(as_text(&[message], None), @r#"
        at               2026-06-01T00:00:00.005Z
        queue_id         -
        id               0n2v5x8k4q1m
        client           192.0.2.7
        author_domain    mail.example.com
        spf              fail
        dkim             none
        arc              none
        dmarc            fail
        policy_domain    example.com
        policy           reject
        disposition      none
        action           accept
        questions        6
        ms               38

        There is no explanation of this message: it was recorded without one, or that was given up when the
        store could not be written and memory ran short. What is above was kept.
        "#);
    }

    #[test]
    fn a_narrow_terminal_gets_no_line_that_is_too_wide() {
        let explanation = "  - If it is genuine, the owner of example.com can sign its mail with DKIM\n";
        insta::assert_snapshot!(as_text(&[message(Some(explanation))], Some(40)), @"
        at
                         2026-06-01T00:00:00.005Z
        queue_id         4ZQ0000001
        id               0n2v5x8k4q1m
        client           192.0.2.7
        author_domain    mail.example.com
        spf              fail
        dkim             none
        arc              none
        dmarc            fail
        policy_domain    example.com
        policy           reject
        disposition      none
        action           accept
        enforced_action  reject
        override         local_policy:
                         observing; other
        rule             partners
        cause            SPF of example.com
                         forbids the client
        questions        6
        ms               38

          - If it is genuine, the owner of
            example.com can sign its mail with
            DKIM
        ");
        assert_eq!(
            as_text(&[message(None)], Some(200)),
            as_text(&[message(None)], None)
        );
    }

    #[test]
    fn messages_with_one_id_are_counted() {
        let text = as_text(&[message(Some("one\n")), message(Some("two\n"))], None);
        assert!(text.starts_with("message 1 of 2\nat "), "{text}");
        assert!(text.contains("\none\n\n\nmessage 2 of 2\nat "), "{text}");
        assert!(text.ends_with("\ntwo\n"), "{text}");
        assert_eq!(as_json(&[message(None), message(None)]).lines().count(), 2);
    }

    #[test]
    fn an_explanation_cannot_steer_the_terminal_and_json_keeps_it_as_it_is() {
        let message = message(Some("a\u{1b}[2Jb\n"));
        assert!(as_text(std::slice::from_ref(&message), None).ends_with("\na\\u{1b}[2Jb\n"));
        let object: serde_json::Value = serde_json::from_str(&as_json(&[message])).unwrap();
        assert_eq!(object["trace"], "a\u{1b}[2Jb\n");
    }

    #[test]
    fn a_message_as_json_has_the_keys_of_its_head_and_the_trace() {
        insta::assert_snapshot!(as_json(&[message(Some("Refused.\n"))]), @r#"{"at":"2026-06-01T00:00:00.005Z","queue_id":"4ZQ0000001","id":"0n2v5x8k4q1m","client":"192.0.2.7","author_domain":"mail.example.com","spf":"fail","dkim":"none","arc":"none","dmarc":"fail","policy_domain":"example.com","policy":"reject","disposition":"none","overrides":[{"type":"local_policy","comment":"observing"},{"type":"other","comment":""}],"rule":"partners","questions":6,"ms":38,"action":"accept","enforced_action":"reject","cause":"SPF of example.com forbids the client","trace":"Refused.\n"}"#);
    }

    #[test]
    fn how_long_messages_are_kept_comes_from_the_settings() {
        let kept = |text: &str| how_long(Some(&landmarc_settings::read(text).unwrap().0));
        insta::assert_snapshot!(
            kept("[store]\nobservation_days = 3\n"),
            @"messages are kept for 3 days (store.observation_days), or less where store.max_size = 16GiB is reached"
        );
        insta::assert_snapshot!(
            kept("[store]\nobservations = false\n"),
            @"messages are not recorded, for store.observations is false"
        );
        insta::assert_snapshot!(how_long(None), @"messages are kept for the days of store.observation_days");
    }
}
