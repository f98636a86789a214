//! Messages as files.

use std::path::Path;

use landmarc_delivery::{Submission, Transport};

use crate::support::{MESSAGE, RECIPIENT, Scratch, delivered, post, submission, told};

fn into(path: &Path) -> landmarc_delivery::DeliveryAgent {
    post(
        Transport::Directory {
            path: path.to_owned(),
        },
        2,
    )
}

fn files(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_message_is_a_file_as_it_would_be_sent() {
    let scratch = Scratch::new("messages");
    let reply = delivered(into(scratch.path()).deliver(submission(RECIPIENT)).await);
    let file = scratch.path().join("report.eml");
    assert_eq!(reply, format!("written to {}", file.display()));
    assert_eq!(std::fs::read(file).unwrap(), MESSAGE.concat());
    assert_eq!(files(scratch.path()), ["report.eml"]);
}

#[tokio::test]
async fn the_same_message_is_one_file_and_another_gets_a_number() {
    let scratch = Scratch::new("messages");
    let post = into(scratch.path());
    let other = Submission {
        message: &[b"Subject: a\r\n\r\nTEXT\r\n"],
        ..submission(RECIPIENT)
    };
    let longer = Submission {
        message: &[b"Subject: longer\r\n\r\ntext\r\n"],
        ..submission(RECIPIENT)
    };
    // Each twice, as after a crash before it was noted.
    for submission in [
        submission(RECIPIENT),
        other,
        longer,
        submission(RECIPIENT),
        other,
        longer,
    ] {
        delivered(post.deliver(submission).await);
    }
    assert_eq!(
        files(scratch.path()),
        ["report.2.eml", "report.3.eml", "report.eml"]
    );
}

#[tokio::test]
async fn messages_at_the_same_time_do_not_meet() {
    let scratch = Scratch::new("messages");
    let post = into(scratch.path());
    let (first, second) = (into(scratch.path()), into(scratch.path()));
    let messages: [&[&[u8]]; 4] = [&[b"A: 1\r\n"], &[b"A: 2\r\n"], &[b"A: 3\r\n"], &[b"A: 4\r\n"]];
    let [a, b, c, d] = messages.map(|message| Submission {
        message,
        ..submission(RECIPIENT)
    });
    // Of one post and of others: these know nothing of each other's numbers.
    let outcomes: [_; 4] = tokio::join!(
        post.deliver(a),
        post.deliver(b),
        first.deliver(c),
        second.deliver(d)
    )
    .into();
    for outcome in outcomes {
        delivered(outcome);
    }
    let mut written: Vec<_> = files(scratch.path())
        .iter()
        .map(|name| std::fs::read(scratch.path().join(name)).unwrap())
        .collect();
    written.sort();
    assert_eq!(written, messages.map(<[&[u8]]>::concat));
}

#[tokio::test]
async fn a_name_that_is_a_path_is_refused() {
    let scratch = Scratch::new("messages");
    for file_name in ["../report", "/tmp/report", ".", ""] {
        let submission = Submission {
            file_name,
            ..submission(RECIPIENT)
        };
        let outcome = into(scratch.path()).deliver(submission).await;
        let reason = format!("file: \"{file_name}\" is no name for a file");
        assert_eq!(told(&outcome), ("refused", reason));
    }
    assert_eq!(files(scratch.path()), [""; 0]);
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_no_fault_of_the_message() {
    let scratch = Scratch::new("messages");
    let missing = scratch.path().join("missing");
    let (kind, reason) = told(&into(&missing).deliver(submission(RECIPIENT)).await);
    assert_eq!(kind, "relay unusable");
    assert!(reason.starts_with(&format!("file: cannot write into {}: ", missing.display())));
}
