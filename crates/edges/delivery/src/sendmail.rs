//! Messages handed to a program, as `sendmail` takes them: envelope as arguments, message on
//! standard input with the line ends of the system.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, timeout, timeout_at};

use crate::outcome::{DeliveryFailure, DeliveryOutcome, DeliveryStage, printable};
use crate::{Submission, TransportError};

/// Octets of what the program says that are kept; the rest is read and dropped, so that
/// it does not wait for a reader.
const KEPT_OCTETS: usize = 4 * 1024;
/// Octets of the message written at a time.
const PIECE_OCTETS: usize = 64 * 1024;

/// How long a program that has ended is still listened to.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// Messages by a program.
#[derive(Debug)]
pub(crate) struct Sendmail {
    program: String,
    arguments: Vec<String>,
}

impl Sendmail {
    pub(crate) fn new(command: Vec<String>) -> Result<Self, TransportError> {
        let mut command = command.into_iter();
        let program = command.next().filter(|program| !program.is_empty());
        let program = program.ok_or(TransportError::NoProgram)?;
        let arguments: Vec<_> = command.collect();
        if !arguments.iter().any(|argument| argument.contains("{recipient}")) {
            return Err(TransportError::NoRecipient(program));
        }
        Ok(Self { program, arguments })
    }

    pub(crate) async fn deliver(&self, submission: &Submission<'_>, deadline: Instant) -> DeliveryOutcome {
        let mut command = Command::new(&self.program);
        command
            .args(
                self.arguments
                    .iter()
                    .map(|argument| fill_in(argument, submission)),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Whoever drops the future, or runs out of time, leaves no process behind.
            .kill_on_drop(true);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                return DeliveryOutcome::RelayUnusable(self.failure(&format!("cannot be run: {error}")));
            }
        };
        let mut run = Run {
            child,
            is_written: false,
            errors: Vec::new(),
            output: Vec::new(),
        };
        match timeout_at(deadline, run.feed_and_wait(submission)).await {
            Ok(Ok(status)) => self.outcome(status, &run),
            Ok(Err(error)) => DeliveryOutcome::Deferred(self.failure(&error.to_string())),
            Err(_) => {
                let failure = self.failure("did not end in time and was stopped");
                // What it did with a whole message is not known.
                if run.is_written {
                    DeliveryOutcome::Unanswered(failure)
                } else {
                    DeliveryOutcome::Deferred(failure)
                }
            }
        }
    }

    /// What an exit code means. Only what speaks of this message or recipient ends it: a
    /// program that is set up wrongly must not be the end of every report of a day.
    fn outcome(&self, status: ExitStatus, run: &Run) -> DeliveryOutcome {
        let failure = || {
            let [errors, output] = [&run.errors, &run.output].map(|said| String::from_utf8_lossy(said));
            self.failure(&format!("{} {errors} {output}", describe(status)))
        };
        match status.code() {
            // It says that it has the message, though it did not read all of it.
            Some(0) if !run.is_written => {
                DeliveryOutcome::Deferred(self.failure("exit code 0 before the whole message was read"))
            }
            Some(0) => DeliveryOutcome::Delivered {
                reply: printable(&format!("{}: {}", self.program, describe(status))),
            },
            // sysexits: EX_DATAERR, EX_NOUSER.
            Some(65 | 67) => DeliveryOutcome::Refused(failure()),
            // EX_USAGE, EX_SOFTWARE to EX_IOERR, EX_NOPERM, EX_CONFIG; and what a wrapping
            // shell says of a program that it cannot run.
            Some(64 | 70..=74 | 77 | 78 | 126 | 127) => DeliveryOutcome::RelayUnusable(failure()),
            // EX_TEMPFAIL above all; and whatever else, or a signal.
            _ => DeliveryOutcome::Deferred(failure()),
        }
    }

    fn failure(&self, words: &str) -> DeliveryFailure {
        DeliveryFailure::new(DeliveryStage::Program, &format!("{}: {words}", self.program))
    }
}

/// Replaces the placeholders of one argument, which stays one argument. In one pass, for
/// an address may have braces in it.
fn fill_in(argument: &str, submission: &Submission<'_>) -> String {
    let mut filled = String::new();
    let mut rest = argument;
    while let Some(open) = rest.find('{') {
        let (before, placeholder) = rest.split_at(open);
        filled.push_str(before);
        rest = if let Some(behind) = placeholder.strip_prefix("{return_path}") {
            // An empty argument would be taken for a missing one.
            filled.push_str(if submission.return_path.is_empty() {
                "<>"
            } else {
                submission.return_path
            });
            behind
        } else if let Some(behind) = placeholder.strip_prefix("{recipient}") {
            filled.push_str(submission.recipient);
            behind
        } else {
            filled.push('{');
            placeholder.get(1..).unwrap_or_default()
        };
    }
    filled.push_str(rest);
    filled
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(0) => "exit code 0".to_owned(),
        Some(code) => format!("exit code {code}{}", sysexit(code)),
        None => format!("ended by {status}"),
    }
}

/// The names of sysexits that a mail program uses.
fn sysexit(code: i32) -> &'static str {
    match code {
        64 => " (EX_USAGE)",
        65 => " (EX_DATAERR)",
        67 => " (EX_NOUSER)",
        68 => " (EX_NOHOST)",
        69 => " (EX_UNAVAILABLE)",
        70 => " (EX_SOFTWARE)",
        71 => " (EX_OSERR)",
        73 => " (EX_CANTCREAT)",
        74 => " (EX_IOERR)",
        75 => " (EX_TEMPFAIL)",
        77 => " (EX_NOPERM)",
        78 => " (EX_CONFIG)",
        _ => "",
    }
}

/// A program that is taking a message.
struct Run {
    child: Child,
    /// The whole message is in the pipe, and the pipe closed.
    is_written: bool,
    /// What it said, to a limit.
    errors: Vec<u8>,
    /// The same on standard output.
    output: Vec<u8>,
}

impl Run {
    async fn feed_and_wait(&mut self, submission: &Submission<'_>) -> io::Result<ExitStatus> {
        let child = &mut self.child;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // All at once: whoever waits for one of the pipes may find the others full.
        let talk = async {
            tokio::join!(
                write_message(stdin, submission.message, &mut self.is_written),
                keep(stderr, &mut self.errors),
                keep(stdout, &mut self.output),
            )
        };
        let mut talk = pin!(talk);
        let (status, written) = tokio::select! {
            (written, (), ()) = &mut talk => (child.wait().await?, written),
            status = child.wait() => {
                // What it left in the pipes is read; but a process that it left behind may
                // hold them open for as long as it likes.
                let rest = timeout(AFTERWARDS, &mut talk).await;
                (status?, rest.map_or(Ok(()), |(written, (), ())| written))
            }
        };
        match written {
            // It went away early: its exit code says why.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
        Ok(status)
    }
}

async fn write_message(stdin: Option<ChildStdin>, message: &[&[u8]], done: &mut bool) -> io::Result<()> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    let mut room = Vec::with_capacity(PIECE_OCTETS);
    for piece in message.iter().flat_map(|piece| piece.chunks(PIECE_OCTETS)) {
        room.clear();
        // The message was checked: each CR is one before LF, if perhaps in another piece.
        room.extend(piece.iter().copied().filter(|&octet| octet != b'\r'));
        stdin.write_all(&room).await?;
    }
    // The end of the file.
    drop(stdin);
    *done = true;
    Ok(())
}

/// Reads all that comes and keeps the beginning.
async fn keep(output: Option<impl AsyncRead + Unpin>, said: &mut Vec<u8>) {
    let Some(mut output) = output else { return };
    let mut room = [0; 1024];
    // An error here ends what is heard; the exit code is still told.
    while let Ok(read @ 1..) = output.read(&mut room).await {
        let left = KEPT_OCTETS.saturating_sub(said.len());
        said.extend(room.iter().take(read.min(left)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(argument: &str, return_path: &str) -> String {
        let submission = Submission {
            return_path,
            recipient: "{return_path}@b.example",
            message: &[],
            file_name: "",
        };
        fill_in(argument, &submission)
    }

    #[test]
    fn placeholders_are_replaced_once_and_inside_one_argument() {
        assert_eq!(filled("-f{return_path}", "a b@c.example"), "-fa b@c.example");
        assert_eq!(
            filled("--to={recipient};{return_path}", "a@c.example"),
            "--to={return_path}@b.example;a@c.example"
        );
        assert_eq!(filled("{return_path}", ""), "<>");
        for untouched in ["-i", "{", "{}", "{recipient", "{user}", "a{b}c"] {
            assert_eq!(filled(untouched, "a@c.example"), untouched);
        }
    }
    #[tokio::test]
    async fn so_much_of_what_a_program_says_is_kept_and_no_more() {
        for octets in [KEPT_OCTETS, KEPT_OCTETS + 1] {
            let (mut said, words) = (Vec::new(), vec![b'x'; octets]);
            keep(Some(&*words), &mut said).await;
            assert_eq!(said.len(), KEPT_OCTETS);
        }
    }
}
