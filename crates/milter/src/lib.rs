//! milter: see the crate description.
