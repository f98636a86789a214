//! Programs of others, run from packages that were unpacked and not installed.

pub(crate) use landmarc_testkit::tools::{Daemon, Folder, free_port, output_of, package, with_libraries};
