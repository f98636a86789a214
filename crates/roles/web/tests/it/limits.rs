//! Each limit, at it and one past it.

use landmarc_net::HttpLimits;
use landmarc_web::WebLimits;

use crate::client::{Port, Reply};

fn request_of(octets: usize) -> String {
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: \r\n\r\n";
    let filling = "x".repeat(octets - request.len());
    request.replace("X: ", &format!("X: {filling}"))
}

#[tokio::test]
async fn a_header_section_at_the_limit_and_one_octet_past_it() {
    let limits = WebLimits {
        header_octets: HttpLimits::LEAST_HEADER_OCTETS,
        ..WebLimits::default()
    };
    let port = Port::open(limits).await;
    let at_limit = request_of(limits.header_octets);
    assert_eq!(at_limit.len(), limits.header_octets);
    assert_eq!(port.ask(&at_limit).await.code, 200);
    assert_eq!(port.ask(&request_of(limits.header_octets + 1)).await.code, 431);
}

#[tokio::test]
async fn fewer_header_octets_than_are_read_at_once_are_taken_as_those() {
    let limits = WebLimits {
        header_octets: 1,
        ..WebLimits::default()
    };
    let port = Port::open(limits).await;
    assert_eq!(
        port.ask(&request_of(HttpLimits::LEAST_HEADER_OCTETS)).await.code,
        200
    );
}

#[tokio::test]
async fn a_header_section_without_end_is_not_read_to_its_end() {
    let port = Port::open(WebLimits::default()).await;
    let mut client = port.connect().await;
    client.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n").await;
    client.say("X: y\r\n".repeat(4 * 1024)).await;
    assert_eq!(Reply::read(&client.rest().await).code, 431);
}

#[tokio::test]
async fn header_fields_at_the_limit_and_one_past_it() {
    let limits = WebLimits {
        headers: 10,
        ..WebLimits::default()
    };
    let port = Port::open(limits).await;
    for (fields, code) in [(10, 200), (11, 431)] {
        let others = "X: y\r\n".repeat(fields - 2);
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{others}\r\n");
        assert_eq!(port.ask(&request).await.code, code, "{fields} fields");
    }
}

#[tokio::test]
async fn a_request_target_at_the_limit_and_one_octet_past_it() {
    let limits = WebLimits::default();
    let port = Port::open(limits).await;
    let target = |octets: usize| format!("/healthz?{}", "q".repeat(octets - "/healthz?".len()));
    assert_eq!(port.get(&target(limits.target_octets)).await.code, 200);
    assert_eq!(port.get(&target(limits.target_octets + 1)).await.code, 414);
}

#[tokio::test]
async fn a_connection_at_the_limit_and_one_past_it() {
    let limits = WebLimits {
        connections: 3,
        ..WebLimits::default()
    };
    let port = Port::open(limits).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = port.connect().await;
        client
            .say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        client.until("ok\n").await;
        clients.push(client);
    }
    let one_more = Reply::read(&port.connect().await.rest().await);
    assert_eq!(
        (one_more.code, one_more.body.as_str()),
        (503, "All connections are in use.\r\n")
    );
    // One that goes makes room; when that is seen is up to the system.
    clients.pop();
    while port.get("/healthz").await.code != 200 {}
    for mut client in clients {
        client
            .say("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await;
        assert_eq!(
            Reply::read(&client.rest().await).code,
            200,
            "the others were not disturbed"
        );
    }
}

#[tokio::test]
async fn stopping_ends_connections_at_rest_and_closes_the_port() {
    let port = Port::open(WebLimits::default()).await;
    let address = port.address;
    let mut client = port.connect().await;
    client
        .say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    client.until("ok\n").await;
    port.stop().await;
    assert_eq!(client.rest().await, "");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
