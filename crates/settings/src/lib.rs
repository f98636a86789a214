//! settings: see the crate description.
