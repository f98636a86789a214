//! Whole judgements: scenarios, golden texts, shares of DNS questions, properties.

mod decisions;
mod golden;
mod head;
mod limits;
mod operator;
mod privacy;
mod properties;
mod puzzles;
mod scenario;
mod scenarios;
mod shares;
mod upstream;
