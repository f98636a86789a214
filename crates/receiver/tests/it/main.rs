//! Whole judgements: scenarios, golden texts, shares of DNS questions, properties.

mod golden;
mod letter;
mod limits;
mod properties;
mod scenario;
mod scenarios;
mod shares;
