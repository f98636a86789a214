//! What each request has to pass before a page sees it, and what each answer carries.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::time::timeout;

use crate::pages::text;

/// The checks of a site.
#[derive(Debug)]
pub(crate) struct Guard {
    /// In lower case.
    pub(crate) host_names: BTreeSet<String>,
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
        match host(request) {
            // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code" to
            // HTTP/1.1 without a Host field, with more than one, or with an invalid one.
            Host::Invalid => Some(text(
                StatusCode::BAD_REQUEST,
                "The request needs one Host field, with a host in it.\n".to_owned(),
            )),
            Host::Name(name) if !self.knows(&name) => Some(text(
                StatusCode::MISDIRECTED_REQUEST,
                "This service does not go by the name in the Host field; see web.host_names.\n".to_owned(),
            )),
            Host::Name(_) | Host::Absent => None,
        }
    }

    /// Whether the host is an address, or one of our names.
    fn knows(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        name == "localhost" || is_address(&name) || self.host_names.contains(&name)
    }
}

/// The host that a request says it is for.
enum Host {
    /// Of HTTP/1.0, where a browser that can be made to ask anything is not among the clients, but
    /// health checks of load balancers are.
    Absent,
    Name(String),
    Invalid,
}

fn host(request: &Request) -> Host {
    // RFC 9112 §3.2.2: the host of an absolute target counts in place of the field.
    if let Some(authority) = request.uri().authority() {
        return Host::Name(authority.host().to_owned());
    }
    let mut fields = request.headers().get_all(header::HOST).iter();
    match (fields.next(), fields.next()) {
        (None, _) if request.version() == Version::HTTP_10 => Host::Absent,
        (Some(field), None) => match Authority::try_from(field.as_bytes()) {
            Ok(authority) if !authority.as_str().contains('@') => Host::Name(authority.host().to_owned()),
            Ok(_) | Err(_) => Host::Invalid,
        },
        _ => Host::Invalid,
    }
}

fn is_address(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<IpAddr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    fn guard() -> Guard {
        Guard {
            host_names: ["mx1.example.org".to_owned()].into(),
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
    fn addresses_and_our_names_are_right_and_all_other_names_are_not() {
        for (host, expected) in [
            ("localhost", None),
            ("LocalHost:8895", None),
            ("127.0.0.1:8895", None),
            ("192.0.2.7", None),
            ("[::1]:8895", None),
            ("MX1.example.org:8895", None),
            ("mx1.example.org.evil.example", Some(421)),
            ("evil.example:8895", Some(421)),
            ("localhost.evil.example", Some(421)),
            // Browsers take these for addresses and write them as such.
            ("0x7f.1", Some(421)),
            ("", Some(400)),
            ("user@localhost", Some(400)),
            ("local host", Some(400)),
        ] {
            assert_eq!(
                code(&request("/metrics", Version::HTTP_11, &[host])),
                expected,
                "{host:?}"
            );
        }
    }

    #[test]
    fn a_request_says_once_which_host_it_is_for() {
        assert_eq!(code(&request("/", Version::HTTP_11, &[])), Some(400));
        assert_eq!(
            code(&request("/", Version::HTTP_11, &["localhost", "localhost"])),
            Some(400)
        );
        assert_eq!(code(&request("/", Version::HTTP_10, &[])), None);
        assert_eq!(
            code(&request("/", Version::HTTP_10, &["evil.example"])),
            Some(421)
        );
        let absolute = request("http://evil.example/metrics", Version::HTTP_11, &["localhost"]);
        assert_eq!(code(&absolute), Some(421));
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
