//! Messages to programs: to shell scripts that do what a `sendmail` may do.

use landmarc_delivery::{AgentOptions, DeliveryAgent, Submission, Transport};
use std::time::Duration;

use crate::support::{RECIPIENT, RETURN_PATH, Scratch, delivered, post, submission, told};

/// A program that is this script; its first argument is the scratch directory.
fn script(scratch: &Scratch, text: &str) -> Transport {
    let arguments = ["/bin/sh", "-c", text, "sh"].map(str::to_owned).into_iter();
    let place = scratch.path().to_str().unwrap().to_owned();
    let envelope = ["-f", "{return_path}", "--", "{recipient}"].map(str::to_owned);
    Transport::Sendmail {
        arguments: arguments.chain([place]).chain(envelope).collect(),
    }
}

fn written(scratch: &Scratch, name: &str) -> String {
    std::fs::read_to_string(scratch.path().join(name)).unwrap()
}

const KEEPS: &str = r#"cat >"$1/message"; place=$1; shift; printf '<%s>\n' "$@" >"$place/arguments""#;

#[tokio::test]
async fn a_program_gets_the_message_with_the_line_ends_of_the_system() {
    let scratch = Scratch::new("program");
    let reply = delivered(
        post(script(&scratch, KEEPS), 1)
            .deliver(submission(RECIPIENT))
            .await,
    );
    assert_eq!(reply, "/bin/sh: exit code 0");
    assert_eq!(written(&scratch, "message"), "Subject: a\n\ntext\n");
    assert_eq!(
        written(&scratch, "arguments"),
        format!("<-f>\n<{RETURN_PATH}>\n<-->\n<{RECIPIENT}>\n")
    );
}

#[tokio::test]
async fn line_ends_may_be_cut_between_pieces() {
    let scratch = Scratch::new("program");
    let submission = Submission {
        message: &[b"A: b\r", b"\n\r", b"\n.\r\n", b"c\r\n"],
        ..submission(RECIPIENT)
    };
    delivered(post(script(&scratch, KEEPS), 1).deliver(submission).await);
    assert_eq!(written(&scratch, "message"), "A: b\n\n.\nc\n");
}

#[tokio::test]
async fn no_shell_reads_an_address() {
    let scratch = Scratch::new("program");
    let trick = "\"$(touch x);`id` {return_path}\"@author.example";
    delivered(post(script(&scratch, KEEPS), 1).deliver(submission(trick)).await);
    assert!(written(&scratch, "arguments").ends_with(&format!("<{trick}>\n")));
    let option = post(script(&scratch, KEEPS), 1)
        .deliver(submission("-oQ/tmp@author.example"))
        .await;
    assert_eq!(told(&option).0, "refused");
}

#[tokio::test]
async fn the_null_path_is_an_argument_of_its_own() {
    let scratch = Scratch::new("program");
    let submission = Submission {
        return_path: "",
        ..submission(RECIPIENT)
    };
    delivered(post(script(&scratch, KEEPS), 1).deliver(submission).await);
    assert!(written(&scratch, "arguments").starts_with("<-f>\n<<>>\n<-->\n"));
}

#[tokio::test]
async fn exit_codes_have_their_meaning() {
    let scratch = Scratch::new("program");
    for (text, kind, reason) in [
        (
            "cat >/dev/null; echo later >&2; exit 75",
            "deferred",
            "exit code 75 (EX_TEMPFAIL) later",
        ),
        (
            "cat >/dev/null; echo a; echo b >&2; exit 1",
            "deferred",
            "exit code 1 b a",
        ),
        (
            "echo no such user >&2; exit 67",
            "refused",
            "exit code 67 (EX_NOUSER) no such user",
        ),
        ("exit 65", "refused", "exit code 65 (EX_DATAERR)"),
        ("exit 64", "relay unusable", "exit code 64 (EX_USAGE)"),
        ("exit 78", "relay unusable", "exit code 78 (EX_CONFIG)"),
        ("exit 127", "relay unusable", "exit code 127"),
        ("kill -9 $$", "deferred", "ended by signal: 9 (SIGKILL)"),
    ] {
        let outcome = post(script(&scratch, text), 1)
            .deliver(submission(RECIPIENT))
            .await;
        assert_eq!(
            told(&outcome),
            (kind, format!("program: /bin/sh: {reason}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_no_fault_of_the_message() {
    let transport = Transport::Sendmail {
        arguments: vec!["/nowhere/sendmail".to_owned(), "{recipient}".to_owned()],
    };
    let (kind, reason) = told(&post(transport, 1).deliver(submission(RECIPIENT)).await);
    assert_eq!(kind, "relay unusable");
    assert!(reason.starts_with("program: /nowhere/sendmail: cannot be run: No such file"));
}

#[tokio::test]
async fn a_program_that_reads_nothing_or_talks_without_end_holds_nobody_up() {
    let scratch = Scratch::new("program");
    let line = [&[b'x'; 76][..], b"\r\n"].concat().repeat(10_000);
    let large = Submission {
        message: &[&line],
        ..submission(RECIPIENT)
    };
    let deaf = post(script(&scratch, "echo 'I do not listen' >&2; exit 75"), 1);
    let (kind, reason) = told(&deaf.deliver(large).await);
    assert_eq!(kind, "deferred");
    assert_eq!(
        reason,
        "program: /bin/sh: exit code 75 (EX_TEMPFAIL) I do not listen"
    );
    // It says that it has the message, and cannot have it.
    let liar = post(script(&scratch, "exit 0"), 1);
    assert_eq!(told(&liar.deliver(large).await).0, "deferred");
    let talker = "yes | head -c 1000000; yes | head -c 1000000 >&2; cat >/dev/null; exit 67";
    let (kind, reason) = told(&post(script(&scratch, talker), 1).deliver(large).await);
    assert_eq!(kind, "refused");
    assert!(reason.len() < 400, "{reason}");
}

#[tokio::test]
async fn a_child_that_is_left_behind_is_not_waited_for() {
    let scratch = Scratch::new("program");
    // It holds both pipes until the test lets it go.
    let text = r#"cat >/dev/null; mkfifo "$1/go"; cat "$1/go" & exit 0"#;
    delivered(
        post(script(&scratch, text), 1)
            .deliver(submission(RECIPIENT))
            .await,
    );
    std::fs::write(scratch.path().join("go"), "now").unwrap();
}

/// A message to a program that never ends; all time passes at once.
async fn stopped(text: &str, message: &[&[u8]]) -> (&'static str, String) {
    let scratch = Scratch::new("program");
    let options = AgentOptions {
        transport: script(&scratch, text),
        connections: 1,
        timeout: Duration::from_secs(300),
    };
    let submission = Submission {
        message,
        ..submission(RECIPIENT)
    };
    told(&DeliveryAgent::new(options).unwrap().deliver(submission).await)
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_end_is_stopped() {
    let line = [&[b'x'; 76][..], b"\r\n"].concat().repeat(10_000);
    let reason = "program: /bin/sh: did not end in time and was stopped".to_owned();
    assert_eq!(
        stopped("exec sleep 1000", &[&line]).await,
        ("deferred", reason.clone())
    );
    // A message that was written whole may have gone on.
    let short: &[&[u8]] = &[b"A: b\r\n"];
    assert_eq!(stopped("exec sleep 1000", short).await, ("unanswered", reason));
}
