//! receiver: see the crate description.
