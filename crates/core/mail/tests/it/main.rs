//! What the crates above this one rely on, in the vectors of the standards.

mod author;
mod authres;
mod from_corpus;
mod message;
mod properties;
