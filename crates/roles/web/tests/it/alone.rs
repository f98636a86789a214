//! A host that only serves its pages: without a filter, a store or a reporter.

use std::sync::Arc;
use std::time::SystemTime;

use landmarc_web::board::{Board, serve};
use landmarc_web::metrics::Metrics;
use landmarc_web::{WebLimits, WebServer};

use crate::client::get;

#[tokio::test]
async fn web_starts_alone() {
    let (settings, _) = landmarc_settings::read("").unwrap();
    let server = WebServer::bind(&["127.0.0.1:0".parse().unwrap()], WebLimits::default())
        .await
        .unwrap();
    let address = server.local_addresses()[0];
    let metrics = Arc::new(Metrics::new(SystemTime::UNIX_EPOCH));
    let serving = serve(server, &settings, Arc::new(Board::new(metrics)));
    let page = get(address, "/metrics").await;
    assert_eq!(page.code, 200);
    assert!(page.body.contains("\nlandmarc_build_info{"), "{}", page.body);
    assert!(page.body.ends_with('\n'));
    assert_eq!(get(address, "/healthz").await.code, 200);
    let ready = get(address, "/readyz").await;
    assert_eq!(
        (ready.code, ready.body.as_str()),
        (503, "milter down: starting\n")
    );
    serving.end().await;
}
