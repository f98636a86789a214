//! What commands print, and how they complain.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use crate::exit::Exit;
use landmarc_mail::text::{visible, visible_lines};

/// How wide a terminal is that does not say.
const USUAL_COLUMNS: usize = 80;

/// Writes to standard output.
///
/// # Errors
/// With how the command is to end: [`Exit::Fine`] when the reader of a pipe has closed
/// it, for then it has seen enough.
pub(crate) fn print(text: &str) -> Result<(), Exit> {
    write(&mut io::stdout().lock(), text)
}

fn write(out: &mut impl Write, text: &str) -> Result<(), Exit> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Exit::Fine,
        _ => complain(Exit::Unavailable, &format!("cannot write: {error}")),
    })
}

/// Columns of the terminal that is written to, if it is one.
pub(crate) fn terminal_width() -> Option<usize> {
    let out = io::stdout();
    let size = terminal_size::terminal_size_of(&out);
    out.is_terminal().then(|| columns(size.map(|(width, _)| width.0)))
}

/// A terminal that nobody has told its size has none, or 0: those of serial lines and of some
/// programs.
fn columns(width: Option<u16>) -> usize {
    width
        .filter(|width| *width > 0)
        .map_or(USUAL_COLUMNS, usize::from)
}

/// What the program says who it is, where it was called by another name.
static NAME: OnceLock<&str> = OnceLock::new();
/// How it begins its messages else.
const OWN: &str = "landmarc: ";

/// Messages begin with this name from now on: whoever started `opendmarc` looks for it in the log of cron.
pub(crate) fn speak_as(name: &'static str) {
    // Nobody is called by two names.
    let _ = NAME.set(name);
}

/// Writes lines to standard error, without what would steer the terminal: they may quote the words of others, or the
/// names of their files. When that is gone, there is nobody to tell.
pub(crate) fn tell(lines: &str) {
    let lines = visible_lines(lines);
    let _ = writeln!(io::stderr(), "{}", as_called(&lines, NAME.get().copied()));
}

fn as_called<'l>(lines: &'l str, name: Option<&str>) -> Cow<'l, str> {
    match (name, lines.strip_prefix(OWN)) {
        (Some(name), Some(rest)) => format!("{name}: {rest}").into(),
        _ => lines.into(),
    }
}

/// Says what is wrong, on one line, and hands back how the command is to end.
pub(crate) fn complain(exit: Exit, message: &str) -> Exit {
    tell(&format!("landmarc: {}", visible(message)));
    exit
}

/// Runs a command; a panic in it is a bug, and says so.
pub(crate) fn guarded(command: impl FnOnce() -> Exit) -> Exit {
    // What the command could reach is not used again.
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        complain(
            Exit::Bug,
            "this is a bug in landmarc: please report it with the lines above",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that fails as it is told to.
    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_error_and_a_full_disk_is() {
        assert_eq!(write(&mut Failing(ErrorKind::BrokenPipe), "x"), Err(Exit::Fine));
        assert_eq!(
            write(&mut Failing(ErrorKind::StorageFull), "x"),
            Err(Exit::Unavailable)
        );
    }

    #[test]
    fn a_terminal_without_a_size_has_eighty_columns() {
        assert_eq!([None, Some(0), Some(1), Some(200)].map(columns), [80, 80, 1, 200]);
    }

    #[test]
    fn messages_begin_with_the_name_that_was_called() {
        assert_eq!(as_called("landmarc: no", Some("opendmarc")), "opendmarc: no");
        assert_eq!(as_called("landmarc: no", None), "landmarc: no");
        assert_eq!(
            as_called("  a landmarc: no", Some("opendmarc")),
            "  a landmarc: no"
        );
    }

    #[test]
    fn a_panic_ends_with_70() {
        assert_eq!(guarded(|| panic!("as the test wants it")), Exit::Bug);
        assert_eq!(guarded(|| Exit::Findings), Exit::Findings);
    }
}
