//! Names of files, made harmless for a terminal.

use std::path::Path;

use landmarc_mail::text::visible;

/// The name of a file, which may be foreign: others choose what lies in a directory that they write to.
pub fn visible_path(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}
