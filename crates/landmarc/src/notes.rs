//! What goes to standard error.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::OnceLock;

use landmarc_mail::text::visible_lines;

/// The name of the program, where it was called by another one than its own.
static NAME: OnceLock<&str> = OnceLock::new();
/// How its messages begin otherwise.
const OWN: &str = "landmarc: ";

/// Messages begin with this name from now on: whoever started `opendmarc` looks for it in the log of cron.
pub(crate) fn speak_as(name: &'static str) {
    // Nobody is called by two names.
    let _ = NAME.set(name);
}

/// Writes lines to standard error, without what would steer the terminal: they may quote foreign text or file names.
/// When standard error is gone, nobody reads it.
pub(crate) fn print_note(lines: &str) {
    let lines = visible_lines(lines);
    let _ = writeln!(io::stderr(), "{}", as_called(&lines, NAME.get().copied()));
}

/// [`print_note`] with the arguments of `format!`.
macro_rules! note {
    ($($text:tt)*) => { $crate::notes::print_note(&format!($($text)*)) };
}
pub(crate) use note;

fn as_called<'l>(lines: &'l str, name: Option<&str>) -> Cow<'l, str> {
    match (name, lines.strip_prefix(OWN)) {
        (Some(name), Some(rest)) => format!("{name}: {rest}").into(),
        _ => lines.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_begin_with_the_name_that_was_called() {
        assert_eq!(as_called("landmarc: no", Some("opendmarc")), "opendmarc: no");
        assert_eq!(as_called("landmarc: no", None), "landmarc: no");
        assert_eq!(
            as_called("  a landmarc: no", Some("opendmarc")),
            "  a landmarc: no"
        );
    }
}
