//! Whole files of other programs, read.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod opendmarc_settings;
