//! Moving in: sites of other programs, built with those programs, and what becomes of their data.

mod mail_dmarc;
mod opendmarc;
mod opendmarc_settings;
mod rspamd;
