//! dmarc: see the crate description.
