//! Which rule of the operator a message meets ([`MessageFacts`], [`select`]), and what that makes of the action.
//!
//! Deliberately knows no file and no clock. The first rule that holds decides, before all evidence and
//! before what [`RejectRule`](crate::policy::RejectRule) says.

mod apply;
mod facts;

pub(crate) use apply::apply;
pub use facts::{Check, MessageFacts, Selected, select};
