//! placeholder
/// placeholder
pub struct Author;
