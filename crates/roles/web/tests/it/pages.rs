//! What is shown, to whom.

use landmarc_net::ListenError;
use landmarc_web::{Health, MetricsFormat, WebLimits, WebServer};

use crate::client::{CLASSIC_METRICS, METRICS, Port};

#[tokio::test]
async fn the_three_pages() {
    let port = Port::open(WebLimits::default()).await;
    let metrics = port.get("/metrics").await;
    assert_eq!((metrics.code, metrics.body.as_str()), (200, CLASSIC_METRICS));
    let classic = MetricsFormat::Classic.content_type();
    assert_eq!(metrics.field("content-type"), Some(classic));
    assert_eq!(metrics.field("vary"), Some("Accept"));
    let health = port.get("/healthz").await;
    assert_eq!((health.code, health.body.as_str()), (200, "ok\n"));
    let ready = port.get("/readyz?verbose").await;
    assert_eq!((ready.code, ready.body.as_str()), (200, "milter ok\nstore ok\n"));
    for reply in [&metrics, &health, &ready] {
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.field("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn ready_or_not_it_is_healthy() {
    let port = Port::open(WebLimits::default()).await;
    port.status.set(Health::Down("stopping".to_owned()));
    let ready = port.get("/readyz").await;
    assert_eq!(
        (ready.code, ready.body.as_str()),
        (503, "milter down: stopping\nstore ok\n")
    );
    assert_eq!(port.get("/healthz").await.code, 200);
    port.status.set(Health::Degraded("slow".to_owned()));
    let ready = port.get("/readyz").await;
    assert_eq!(
        (ready.code, ready.body.as_str()),
        (200, "milter degraded: slow\nstore ok\n")
    );
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let port = Port::open(WebLimits::default()).await;
    let head = port
        .ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!((head.code, head.body.as_str()), (200, ""));
    assert_eq!(
        head.field("content-length"),
        Some(CLASSIC_METRICS.len().to_string().as_str())
    );
}

#[tokio::test]
async fn who_asks_for_openmetrics_gets_it() {
    let port = Port::open(WebLimits::default()).await;
    let reply = port
        .ask(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Accept: application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5\r\n\r\n",
        )
        .await;
    assert_eq!((reply.code, reply.body.as_str()), (200, METRICS));
    let open_metrics = MetricsFormat::OpenMetrics.content_type();
    assert_eq!(reply.field("content-type"), Some(open_metrics));
}

#[tokio::test]
async fn other_methods_are_405_and_their_bodies_stay_unread() {
    let port = Port::open(WebLimits::default()).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let request = format!(
            "{method} /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 46\r\nConnection: close\r\n\r\n\
             GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        let reply = port.ask(&request).await;
        assert_eq!(reply.code, 405, "{method}");
        assert_eq!(reply.field("allow"), Some("GET,HEAD"), "{method}");
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(
            reply.body, "This page is for GET and HEAD.\n",
            "and no second answer"
        );
    }
}

#[tokio::test]
async fn other_paths_are_404_and_told_which_there_are() {
    let port = Port::open(WebLimits::default()).await;
    for path in [
        "/",
        "/metrics/",
        "/Metrics",
        "//metrics",
        "/readyz/../metrics",
        "/%6detrics",
        "*",
    ] {
        let reply = port.get(path).await;
        assert_eq!(
            (reply.code, reply.body.as_str()),
            (
                404,
                "There is no such page. There are /metrics, /healthz and /readyz.\n"
            ),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_shown_nothing() {
    let port = Port::open(WebLimits::default()).await;
    for (host, code) in [
        ("localhost", 200),
        ("mx1.example.org:8895", 200),
        ("127.0.0.1", 200),
        ("rebound.example", 421),
        ("", 400),
    ] {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let reply = port.ask(&request).await;
        assert_eq!(reply.code, code, "{host}");
        assert_eq!(reply.body.contains("x_total"), code == 200, "{host}");
    }
    // As health checks of load balancers ask.
    assert_eq!(port.ask("GET /readyz HTTP/1.0\r\n\r\n").await.code, 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_its_remedy() {
    let port = Port::open(WebLimits::default()).await;
    let error = WebServer::bind(&[port.address], WebLimits::default())
        .await
        .unwrap_err();
    assert!(matches!(error, ListenError::InUse { .. }));
    let elsewhere = "192.0.2.1:8895".parse().unwrap();
    let error = WebServer::bind(&[elsewhere], WebLimits::default())
        .await
        .unwrap_err();
    assert!(matches!(error, ListenError::NotOurs { .. }), "{error}");
}
