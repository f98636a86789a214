//! What the rooms after this one rely on, told in the vectors of the standards.

mod author;
mod authres;
mod from_corpus;
mod message;
mod properties;
