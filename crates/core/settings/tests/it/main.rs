//! The settings as a user of the crate meets them: files in, settings or mistakes out.

mod accepted;
mod mistakes;
mod printed;
mod rules;
mod warnings;
