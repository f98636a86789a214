//! Thousands of connections that do nothing: those at rest between messages, and those that
//! stall within one. Others are served all the while.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::client::{Client, is_end};
use super::letter::{Fate, Letter, REJECT, fate_of, lines};
use super::packets::CHUNK;
use super::traffic::Traffic;
use super::written::Written;
use super::{Scene, all, runtime, wait_for};

/// Connections at rest.
const IDLE: usize = 10_000;
/// Every so many of them have delivered a message before.
const DELIVERS: usize = 10;
/// Connections that stall.
const STALLED: usize = 2_000;
/// When they are given up, in seconds.
const STALL_TIMEOUT: usize = 10;
/// Connections that send meanwhile.
const GOOD: usize = 100;
/// Messages that they send.
const MESSAGES: usize = 300;
/// Files that a process needs beside the connections at rest, with other tests in it.
const OTHER_FILES: usize = 4_000;
/// The most memory that a build without optimization may take; `docs/performance.md` has what a
/// release takes.
const MEMORY_MIB: u64 = 150;

#[test]
fn with_ten_thousand_idle_connections_messages_are_judged_in_bounded_memory() {
    let idle = as_many_as_files_allow(IDLE);
    let mut scene = Scene::start("load-idle", &format!("milter.max_sessions = {}\n", idle + 100));
    let address = scene.address();
    let (files, before) = (open_files(&scene), scene.memory_mib());
    let runtime = runtime();
    let crowd = all(&runtime, (0..idle).map(|number| rest(address, number)));
    let with_them = scene.memory_mib();

    let traffic = Traffic::start(address, 8);
    traffic.wait_for_more(MESSAGES);
    let account = traffic.stop();
    account.assert_fates();
    assert_eq!((account.unanswered.len(), account.no_connection), (0, 0));
    let busy = scene.memory_mib();
    assert!(crowd.iter().all(Client::is_at_rest), "some were closed");
    all(&runtime, crowd.into_iter().map(Client::quit));
    wait_until_closed(&scene, files + GOOD);
    eprintln!(
        "idle: {before} MiB, {with_them} with {idle} connections at rest, {busy} after {MESSAGES} messages more, {} when all have gone",
        scene.memory_mib()
    );
    assert!(with_them.max(busy) < MEMORY_MIB, "{with_them} MiB, {busy} MiB");
    assert_eq!(scene.stop(), Some(0));
    scene.assert_no_panic();
}

/// A connection that has said who it is, as far as an MTA does before it has a message.
async fn rest(address: SocketAddr, number: usize) -> io::Result<Client> {
    let mut client = Client::connect(address).await?;
    let letter = Letter::from(REJECT);
    if number.is_multiple_of(DELIVERS) {
        let answer = client.deliver(&letter).await?;
        assert_eq!(fate_of(&answer), Some(Fate::Accepted), "{answer:?}");
    } else {
        client.greet(&letter).await?;
    }
    Ok(client)
}

#[test]
fn two_thousand_stalled_connections_hold_up_nobody_and_cost_nothing_afterwards() {
    let stalled = as_many_as_files_allow(STALLED);
    let settings = format!("milter.stall_timeout = \"{STALL_TIMEOUT}s\"\n");
    let mut scene = Scene::start("load-stall", &settings);
    let address = scene.address();
    let files = open_files(&scene);
    let before = scene.memory_mib();
    let runtime = runtime();
    let mut crowd = all(&runtime, (0..stalled).map(|number| stall(address, number)));
    let with_them = scene.memory_mib();

    let traffic = Traffic::start(address, GOOD);
    traffic.wait_for_more(MESSAGES);
    let account = traffic.stop();
    let still = crowd.iter().filter(|client| client.is_at_rest()).count();
    account.assert_fates();
    assert_eq!(
        (&account.unanswered, account.no_connection),
        (&BTreeSet::new(), 0)
    );

    // They end by the clock of the service, whatever they have said.
    for client in &mut crowd {
        runtime.block_on(client.ends()).unwrap();
    }
    wait_until_closed(&scene, files + GOOD);
    let interrupted = || scene.figure("landmarc_milter_interrupted_total");
    let ended = wait_for(|| (interrupted() >= stalled).then(interrupted));
    assert_eq!(ended, Some(stalled));
    // The log has one line a minute for all of them.
    let log = scene.service.log();
    let lines = log.iter().filter(|line| line.contains("the MTA stalled")).count();
    assert!((1..=5).contains(&lines), "{lines}");
    eprintln!(
        "stalled: {before} MiB, {with_them} with {stalled} stalled messages ({still} of them still there after {} good ones), {} when all are given up",
        account.answered.len(),
        scene.memory_mib()
    );
    assert!(with_them < MEMORY_MIB, "{with_them} MiB");

    let traffic = Traffic::resume(account, address, GOOD);
    traffic.wait_for_more(GOOD);
    let account = traffic.stop();
    account.assert_fates();
    assert_eq!(scene.stop(), Some(0));
    let written = Written::read(&scene.service.database());
    written.assert_holds(&account);
    scene.assert_no_panic();
}

/// A connection that stops within a message: after some header fields, or within a chunk of
/// the body.
async fn stall(address: SocketAddr, number: usize) -> io::Result<Client> {
    let mut client = Client::connect(address).await?;
    let letter = Letter::from(REJECT);
    let outcome = if number.is_multiple_of(2) {
        client.fields(&letter).await
    } else {
        client.fields(&letter).await?;
        client.end_of_headers().await?;
        client.out.add(b'B', &[&lines(CHUNK)]);
        client.out.0.truncate(CHUNK / 2);
        client.flush().await
    };
    match outcome {
        // So slow a machine that its time is over already.
        Err(error) if is_end(&error) => Ok(client),
        other => other.map(|()| client),
    }
}

/// Files that the service has open.
fn open_files(scene: &Scene) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", scene.service.id()))
        .unwrap()
        .count()
}

#[track_caller]
fn wait_until_closed(scene: &Scene, files: usize) {
    let closed = wait_for(|| (open_files(scene) <= files).then_some(()));
    assert!(
        closed.is_some(),
        "{} files are open, and {files} were",
        open_files(scene)
    );
}

/// As many connections as were asked for, or as the system lets the test and the service have.
fn as_many_as_files_allow(connections: usize) -> usize {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // The same for all tests, since they may share a process.
    let wanted = u64::try_from(IDLE + OTHER_FILES).unwrap();
    let granted = wanted.min(hard).max(soft);
    setrlimit(Resource::RLIMIT_NOFILE, granted, hard).unwrap();
    let room = usize::try_from(granted).unwrap().saturating_sub(OTHER_FILES);
    if room < connections {
        eprintln!("ONLY {room} CONNECTIONS, NOT {connections}: the system allows {hard} open files");
    }
    room.min(connections)
}
