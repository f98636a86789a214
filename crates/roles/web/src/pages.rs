//! The pages, and who they are shown to.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use landmarc_net::HostGuard;

use crate::guard::{self, Guard};
use crate::limits::WebLimits;
use crate::metrics_format::MetricsFormat;
use crate::plain::text;
use crate::status::Status;

/// What is served, and under which names.
///
/// A request whose Host field has another name is refused (421), for the reason that [`HostGuard`] gives.
#[derive(Clone, Debug)]
pub struct MonitoringSite {
    pages: Router,
    hosts: HostGuard,
}

impl MonitoringSite {
    /// The pages of this status; `host_names` are those that this host is asked under, besides
    /// `localhost` and its addresses.
    pub fn new(status: Arc<dyn Status>, host_names: impl IntoIterator<Item = String>) -> Self {
        Self {
            pages: pages(status),
            hosts: HostGuard::new(host_names),
        }
    }

    /// All of it, behind the checks that each request has to pass.
    pub(crate) fn guarded(self, limits: &WebLimits) -> Router {
        let guard = Guard {
            hosts: self.hosts,
            target_octets: limits.target_octets,
            request_timeout: limits.request_timeout,
        };
        guard::guarded(self.pages, guard)
    }
}

fn pages(status: Arc<dyn Status>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(status)
        .fallback(not_found)
        .method_not_allowed_fallback(only_get)
}

async fn metrics(State(status): State<Arc<dyn Status>>, fields: HeaderMap) -> Response {
    let format = MetricsFormat::asked_for(&fields);
    let about = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::VARY, "Accept"),
    ];
    (about, format.of_page(status.metrics())).into_response()
}

/// That there is an answer says it all.
async fn healthz() -> Response {
    text(StatusCode::OK, "ok\n".to_owned())
}

async fn readyz(State(status): State<Arc<dyn Status>>) -> Response {
    let readiness = status.readiness();
    let code = match readiness.is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    text(code, readiness.to_string())
}

async fn not_found() -> Response {
    let words = "There is no such page. There are /metrics, /healthz and /readyz.\n";
    text(StatusCode::NOT_FOUND, words.to_owned())
}

async fn only_get() -> Response {
    let words = "This page is for GET and HEAD.\n";
    text(StatusCode::METHOD_NOT_ALLOWED, words.to_owned())
}
