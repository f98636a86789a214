//! Every interface but the plain milter, each with the real program before it.

mod apart;
mod api;
mod chain;
pub(crate) mod corpus;
mod exim;
mod mta;
mod opensmtpd;
mod qpsmtpd;
mod rspamc;
mod sendmail;
mod third;
