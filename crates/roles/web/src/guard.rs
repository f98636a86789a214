//! What each request has to pass before a page sees it, and what each answer carries.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use landmarc_net::{HostGuard, HostProblem};
use tokio::time::timeout;

use crate::plain::text;

/// The checks of a site.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) hosts: HostGuard,
    pub(crate) target_octets: usize,
    pub(crate) request_timeout: Duration,
}

/// The pages behind the guard.
pub(crate) fn guarded(pages: Router, guard: Guard) -> Router {
    pages.layer(middleware::from_fn_with_state(Arc::new(guard), check))
}

async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match guard.refusal(&request) {
        Some(refusal) => refusal,
        None => match timeout(guard.request_timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "The answer took too long.\n".to_owned(),
            ),
        },
    };
    let headers = response.headers_mut();
    // Numbers of now are not worth keeping, and text is never to be taken for a script.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

impl Guard {
    fn refusal(&self, request: &Request) -> Option<Response> {
        let target = request
            .uri()
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if target > self.target_octets {
            let words = format!(
                "The request target has more than {} octets.\n",
                self.target_octets
            );
            return Some(text(StatusCode::URI_TOO_LONG, words));
        }
        match self.hosts.check(request) {
            Ok(()) => None,
            Err(HostProblem::Invalid) => Some(text(
                StatusCode::BAD_REQUEST,
                "The request needs one Host field, with a host in it.\n".to_owned(),
            )),
            Err(HostProblem::Foreign) => Some(text(
                StatusCode::MISDIRECTED_REQUEST,
                "This service does not go by the name in the Host field; see web.host_names.\n".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Version;
    use axum::routing::get;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    fn guard() -> Guard {
        Guard {
            hosts: HostGuard::default(),
            target_octets: 100,
            request_timeout: Duration::from_secs(10),
        }
    }

    fn request(target: &str, version: Version, hosts: &[&str]) -> Request {
        let mut request = Request::builder().uri(target).version(version);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(Body::empty()).unwrap()
    }

    fn code(request: &Request) -> Option<u16> {
        guard()
            .refusal(request)
            .map(|response| response.status().as_u16())
    }

    #[test]
    fn a_request_for_another_host_has_its_own_status() {
        for (hosts, expected) in [
            (&["localhost"][..], None),
            (&["evil.example"], Some(421)),
            (&["localhost", "localhost"], Some(400)),
        ] {
            assert_eq!(
                code(&request("/metrics", Version::HTTP_11, hosts)),
                expected,
                "{hosts:?}"
            );
        }
    }

    #[test]
    fn a_target_at_the_limit_and_one_past_it() {
        let of = |octets: usize| format!("/{}?{}", "p".repeat(10), "q".repeat(octets - 12));
        let code_of = |octets| code(&request(&of(octets), Version::HTTP_11, &["localhost"]));
        assert_eq!(of(100).len(), 100);
        assert_eq!(code_of(100), None);
        assert_eq!(code_of(101), Some(414));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_found_in_time_is_503() {
        let pages = Router::new()
            .route("/never", get(std::future::pending::<()>))
            .route("/late", get(|| tokio::time::sleep(Duration::from_millis(9_999))));
        let pages = TowerToHyperService::new(guarded(pages, guard()));
        for (target, code) in [("/late", 200), ("/never", 503)] {
            let response = pages
                .call(request(target, Version::HTTP_11, &["localhost"]))
                .await;
            assert_eq!(response.unwrap().status().as_u16(), code, "{target}");
        }
    }
}
