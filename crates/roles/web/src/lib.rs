//! The HTTP port: what monitoring asks the service.
//!
//! Three pages: `/metrics`, for Prometheus; `/healthz`, which says that the process serves; and
//! `/readyz`, which says whether mail can be judged, with a line for each part. The numbers and the
//! parts come from a [`Status`] that is handed in: the pages know neither metrics nor mail.
//!
//! Every connection is bounded in number, octets and time ([`WebLimits`]). Requests are GET and HEAD,
//! and their bodies are not read. There is no authentication, so the port belongs on loopback.
//! A page of some web site that a browser on this host shows must not read it
//! either, hence the check of the Host field ([`MonitoringSite`]).
//!
//! Not implemented: HTTP/2, TLS and compression, which nothing on this host needs.

pub mod board;
mod connection;
mod guard;
mod limits;
pub mod metrics;
mod metrics_format;
mod pages;
mod plain;
mod server;
mod status;

pub use limits::WebLimits;
pub use metrics_format::MetricsFormat;
pub use pages::MonitoringSite;
pub use server::WebServer;
pub use status::{Health, PartHealth, ServiceReadiness, Status};
