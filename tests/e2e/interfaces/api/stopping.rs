//! Clients that are gone, and a service that is told to stop.

use std::io::Write;
use std::net::TcpStream;

use landmarc_testkit::tools::wait_for;

use super::{Api, Reply, Scene, request};
use crate::world::{ALLOWED, letter};

#[test]
fn a_client_that_is_killed_within_a_message_leaves_nothing() {
    let scene = Scene::start("api-killed", "");
    let message = letter("a@plain.example");
    let head = request(ALLOWED, "a@plain.example", "K1").head(message.len());
    for cut in [head.len() / 2, head.len(), head.len() + message.len() - 1] {
        let mut stream = scene.api.connect();
        let whole = [head.as_bytes(), &message].concat();
        stream.write_all(&whole[..cut]).unwrap();
    }
    let rspamc = format!("CHECK RSPAMC/1.3\r\nContent-length: {}\r\n\r\n", message.len());
    let mut stream = scene.api.connect();
    stream.write_all(rspamc.as_bytes()).unwrap();
    drop(stream);
    // The next one is served as ever.
    let reply = scene
        .api
        .ask(&request(ALLOWED, "a@plain.example", "K2"), &message);
    assert_eq!(reply.code, 200);
    let ids: Vec<_> = scene
        .records()
        .iter()
        .map(|record| record["queue_id"].clone())
        .collect();
    assert_eq!(ids, ["K2"]);
}

#[test]
fn a_message_under_way_is_answered_when_we_stop() {
    let scene = Scene::start("api-stops", "");
    let message = letter("a@plain.example");
    let mut stream = scene.api.connect();
    let head = request(ALLOWED, "a@plain.example", "T1").head(message.len());
    let (begins, ends) = message.split_at(message.len() - 1);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(begins).unwrap();
    // That its head was read shows in nothing; that it was accepted, in the answer of a later one.
    scene
        .api
        .ask(&request(ALLOWED, "a@plain.example", "T2"), &message);

    let Scene { mut service, api, .. } = scene;
    service.terminate();
    service.wait_for_line("stopping");
    let Api::Tcp(address) = api else {
        panic!("it listens on TCP")
    };
    let closed = wait_for(|| TcpStream::connect(address).err());
    assert!(closed.is_some(), "no new client is let in");
    stream.write_all(ends).unwrap();
    assert_eq!(Reply::read(&mut *stream).code, 200);
    assert!(service.wait_for_end().success());
    service.message("T1").says("interface=http");
}
