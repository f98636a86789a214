//! What goes to standard output.

use std::io::{self, ErrorKind, IsTerminal, Write};

use crate::exit::Exit;
use crate::failure::{CommandResult, failure};

/// How wide a terminal is that does not say.
const USUAL_COLUMNS: usize = 80;

/// Writes to standard output; then all is well.
///
/// # Errors
/// When it cannot be written. A reader of a pipe who has closed it has seen enough: then with [`Exit::Fine`].
pub(crate) fn print(text: &str) -> CommandResult {
    write(&mut io::stdout().lock(), text.as_bytes())
}

/// Writes octets as they are to standard output.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_octets(octets: &[u8]) -> CommandResult {
    write(&mut io::stdout().lock(), octets)
}

fn write(out: &mut impl Write, octets: &[u8]) -> CommandResult {
    match out.write_all(octets).and_then(|()| out.flush()) {
        Ok(()) => Ok(Exit::Fine),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Exit::Fine.into()),
        Err(error) => Err(failure!(Exit::Unavailable, "cannot write: {error}")),
    }
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
        let exit = |kind| write(&mut Failing(kind), b"x").unwrap_err().exit;
        assert_eq!(exit(ErrorKind::BrokenPipe), Exit::Fine);
        assert_eq!(exit(ErrorKind::StorageFull), Exit::Unavailable);
    }

    #[test]
    fn a_terminal_without_a_size_has_eighty_columns() {
        assert_eq!([None, Some(0), Some(1), Some(200)].map(columns), [80, 80, 1, 200]);
    }
}
