//! Against a Redis of a hundred lines, which notes what it is asked: that nothing is changed and no server is
//! stopped by a question, and that limits hold.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use landmarc_mail::text::CUT;
use landmarc_migrate::rspamd::{Names, RspamdDay, UnreadPart};

use super::*;

/// 2026-06-01.
const DAY: &str = "20260601";

/// What Redis answers.
enum Reply {
    Text(&'static str),
    Number(usize),
    /// A page of a SCAN: the cursor and what is on it.
    Page(&'static str, Vec<String>),
    Items(Vec<String>),
    Error(&'static str),
    /// The connection breaks.
    Nothing,
}

/// Commands as they came, with spaces between their words.
type Asked = Arc<Mutex<Vec<String>>>;

/// Serves until the test ends.
fn serve(answer: impl Fn(&[String]) -> Reply + Send + Sync + 'static) -> (RedisOptions, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, answer) = (Asked::default(), Arc::new(answer));
    let noted = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
            thread::spawn(move || converse(stream.unwrap(), &noted, &*answer));
        }
    });
    let options = RedisOptions {
        servers: vec![RedisAddress::Tcp("127.0.0.1".to_owned(), port)],
        username: None,
        password: None,
        database: 0,
    };
    (options, asked)
}

fn converse(stream: TcpStream, noted: &Asked, answer: &impl Fn(&[String]) -> Reply) {
    let mut writer = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(count) = lines
        .next()
        .and_then(|line| line.strip_prefix('*')?.parse::<usize>().ok())
    {
        // Each word has its length on a line before it.
        let words: Vec<String> = lines.by_ref().take(2 * count).skip(1).step_by(2).collect();
        noted.lock().unwrap().push(words.join(" "));
        let bulk = |items: &[String]| {
            let items: String = items
                .iter()
                .map(|item| format!("${}\r\n{item}\r\n", item.len()))
                .collect();
            items
        };
        let text = match answer(&words) {
            Reply::Text(text) => format!("${}\r\n{text}\r\n", text.len()),
            Reply::Number(number) => format!(":{number}\r\n"),
            Reply::Page(cursor, items) => {
                format!(
                    "*2\r\n${}\r\n{cursor}\r\n*{}\r\n{}",
                    cursor.len(),
                    items.len(),
                    bulk(&items)
                )
            }
            Reply::Items(items) => format!("*{}\r\n{}", items.len(), bulk(&items)),
            Reply::Error(error) => format!("-{error}\r\n"),
            Reply::Nothing => return,
        };
        if writer.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn wanted(names: &Names, days: Days) -> Wanted<'_> {
    Wanted {
        names,
        days,
        lists: true,
    }
}

fn day() -> RspamdDay {
    RspamdDay::parse(DAY).unwrap()
}

const RPT: &str = "dmarc_rpt;a.example;mailto:d@a.example;20260601";
const MEMBER: &str = "192.0.2.1,pass,fail,none,,a.example,,,,,a.example,pass";

/// A site with a sorted set, a list and things of others.
fn site(words: &[String]) -> Reply {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["INFO", "replication"] => Reply::Text("master_replid:abc\r\n"),
        ["TYPE", "dmarc_idx;20260601"] => Reply::Text("set"),
        ["TYPE", RPT] => Reply::Text("zset"),
        ["TYPE", "dmarc_a.example" | "dmarc_no domain"] => Reply::Text("list"),
        ["TYPE", "dmarc_set"] => Reply::Text("set"),
        ["TYPE", _] => Reply::Text("none"),
        ["SSCAN", "dmarc_idx;20260601", "0", ..] => Reply::Page("7", vec![RPT.to_owned()]),
        ["SSCAN", "dmarc_idx;20260601", "7", ..] => Reply::Page("0", vec!["dmarc_rpt;gone".to_owned()]),
        ["SCAN", "0", "MATCH", "dmarc_*", ..] => {
            let names = [
                "dmarc_a.example",
                "dmarc_no domain",
                "dmarc_set",
                "dmarc_idx;20260601",
            ];
            Reply::Page("0", names.map(str::to_owned).to_vec())
        }
        ["ZSCAN", RPT, "0", ..] => Reply::Page("5", vec![MEMBER.to_owned(), "2".to_owned()]),
        // The same once more, since it has changed meanwhile.
        ["ZSCAN", RPT, "5", ..] => Reply::Page("0", vec![MEMBER.to_owned(), "3".to_owned()]),
        ["LLEN", _] => Reply::Number(2),
        ["LRANGE", ..] => Reply::Items(vec!["1780300000,192.0.2.1,true,true".to_owned(); 2]),
        _ => Reply::Error("ERR unknown"),
    }
}

#[tokio::test]
async fn all_that_is_asked_are_questions() {
    let (options, asked) = serve(site);
    let names = Names::default();
    let mut session = RedisSession::open(&options).await.unwrap();
    let keys = session.keys(&wanted(&names, Days::Around(day()))).await.unwrap();
    let found: Vec<_> = keys.found.iter().map(|found| found.key.name.as_str()).collect();
    assert_eq!(found, ["dmarc_a.example", RPT]);
    assert_eq!(keys.unread_count, 1, "a list of no domain");
    let mut counts = Vec::new();
    for found in &keys.found {
        let content = session.content(found).await.unwrap();
        assert_eq!(content.unread_count, 0);
        counts.extend(content.entries.iter().map(|entry| entry.count));
    }
    assert_eq!(
        counts,
        [2, 3],
        "equal lines are counted, and of two counts the larger one is later"
    );
    const QUESTIONS: [&str; 8] = [
        "INFO", "TYPE", "SSCAN", "SCAN", "ZSCAN", "HSCAN", "LLEN", "LRANGE",
    ];
    for command in asked.lock().unwrap().iter() {
        let word = command.split(' ').next().unwrap();
        assert!(QUESTIONS.contains(&word), "{command}");
    }
}

#[tokio::test]
async fn a_day_alone_is_looked_for_by_its_name() {
    let (options, asked) = serve(site);
    let names = Names::default();
    let mut session = RedisSession::open(&options).await.unwrap();
    let one = Wanted {
        lists: false,
        ..wanted(&names, Days::One(day()))
    };
    assert_eq!(session.keys(&one).await.unwrap().found.len(), 1);
    assert!(
        !asked
            .lock()
            .unwrap()
            .iter()
            .any(|command| command.starts_with("SCAN"))
    );
    let other = Days::One(day().plus(1));
    assert_eq!(
        session
            .keys(&Wanted { days: other, ..one })
            .await
            .unwrap()
            .found
            .len(),
        0
    );
}

/// A page short of the limit, at it, and past it.
#[tokio::test]
async fn a_sorted_set_is_read_up_to_its_limit() {
    const PAGE: usize = 5_000;
    for (pages, read, is_cut) in [(10, 10, false), (11, 10, true)] {
        let (options, _) = serve(move |words| match words.first().map(String::as_str) {
            Some("ZSCAN") => {
                let page: usize = words.get(2).unwrap().parse().unwrap();
                let members = (page * PAGE..(page + 1) * PAGE).flat_map(|number| {
                    [
                        MEMBER.replace("192.0.2.1,", &format!("10.0.{}.{},", number / 256, number % 256)),
                        "1".to_owned(),
                    ]
                });
                let members = members.collect();
                let cursors = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
                Reply::Page(if page + 1 == pages { "0" } else { cursors[page] }, members)
            }
            Some("SSCAN") => Reply::Page("0", vec![RPT.to_owned()]),
            Some("TYPE") if words.get(1).is_some_and(|name| name == RPT) => Reply::Text("zset"),
            Some("TYPE") => Reply::Text("set"),
            _ => Reply::Text("master_replid:abc"),
        });
        let names = Names::default();
        let mut session = RedisSession::open(&options).await.unwrap();
        let one = Wanted {
            lists: false,
            ..wanted(&names, Days::One(day()))
        };
        let keys = session.keys(&one).await.unwrap();
        let content = session.content(&keys.found[0]).await.unwrap();
        assert_eq!(content.entries.len(), read * PAGE);
        let told = content
            .unread
            .iter()
            .any(|unread| matches!(unread.what, UnreadPart::TooMany { .. }));
        assert_eq!((told, content.unread_count == 1), (is_cut, is_cut));
    }
    assert_eq!(MAX_ENTRIES, 10 * PAGE);
}

#[tokio::test]
async fn a_list_is_read_from_its_tail_up_to_its_limit() {
    for (length, is_cut) in [(MAX_LINES, false), (MAX_LINES + 1, true)] {
        let (options, asked) = serve(move |words| match words.first().map(String::as_str) {
            Some("LLEN") => Reply::Number(length),
            Some("LRANGE") => {
                let number = |place: usize| words.get(place).unwrap().parse::<i64>().unwrap();
                let count = usize::try_from(number(3) - number(2) + 1).unwrap();
                Reply::Items(vec!["1,192.0.2.1,true,true".to_owned(); count])
            }
            Some("SCAN") => Reply::Page("0", vec!["dmarc_a.example".to_owned()]),
            Some("TYPE") if words.get(1).is_some_and(|name| name == "dmarc_a.example") => Reply::Text("list"),
            Some("TYPE") => Reply::Text("none"),
            _ => Reply::Text("master_replid:abc"),
        });
        let names = Names::default();
        let mut session = RedisSession::open(&options).await.unwrap();
        let keys = session.keys(&wanted(&names, Days::One(day()))).await.unwrap();
        let content = session.content(&keys.found[0]).await.unwrap();
        assert_eq!(content.entries[0].count, MAX_LINES as u64);
        assert_eq!(content.unread_count == 1, is_cut);
        let first = asked
            .lock()
            .unwrap()
            .iter()
            .find(|command| command.starts_with("LRANGE"))
            .cloned();
        assert_eq!(first.as_deref(), Some("LRANGE dmarc_a.example -50000 -1"));
    }
}

#[tokio::test]
async fn each_trouble_has_its_words_and_its_remedy() {
    type Answer = fn(&[String]) -> Reply;
    let cases: [(Answer, &str, bool); 5] = [
        (
            |_| Reply::Error("NOAUTH Authentication required."),
            "it does not let us in",
            false,
        ),
        (
            |_| Reply::Error("LOADING Redis is loading"),
            "it is not ready",
            true,
        ),
        (
            |_| Reply::Error("ERR what?"),
            "it did not answer as expected",
            true,
        ),
        (|_| Reply::Nothing, "cannot connect", true),
        (
            |words| match words.first().map(String::as_str) {
                Some("INFO") => Reply::Error("NOPERM no permissions"),
                _ => Reply::Error("NOPERM no permissions to run 'scan'"),
            },
            "the account may not do this",
            false,
        ),
    ];
    let names = Names::default();
    for (answer, words, may_pass) in cases {
        let (options, _) = serve(answer);
        let error = match RedisSession::open(&options).await {
            Err(error) => error,
            Ok(mut session) => session.keys(&wanted(&names, Days::All)).await.unwrap_err(),
        };
        assert!(error.to_string().ends_with(words), "{error} is not {words}");
        assert_eq!(error.may_pass(), may_pass, "{error}");
        assert!(!error.remedy().is_empty());
    }
}

/// What one server lacks is told; what others have is read.
#[tokio::test]
async fn a_server_that_is_gone_does_not_keep_from_the_others() {
    let (mut options, _) = serve(site);
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    options
        .servers
        .push(RedisAddress::Tcp("127.0.0.1".to_owned(), gone));
    // The same data under another name.
    options.servers.push(options.servers[0].clone());
    let names = Names::default();
    let mut session = RedisSession::open(&options).await.unwrap();
    let keys = session.keys(&wanted(&names, Days::One(day()))).await.unwrap();
    let content = session.content(&keys.found[0]).await.unwrap();
    assert_eq!(content.entries[0].count, 2, "read once");
    let missing = session.into_missing();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].server, options.servers[1]);
}

/// Without INFO a replica looks like a server with records of its own: each message would count twice.
#[tokio::test]
async fn of_several_servers_none_may_hide_whose_data_it_has() {
    let secretive = |words: &[String]| match words.first().map(String::as_str) {
        Some("INFO") => Reply::Error("NOPERM no permissions to run 'info'"),
        _ => site(words),
    };
    let (mut options, _) = serve(secretive);
    let names = Names::default();
    let mut session = RedisSession::open(&options).await.unwrap();
    let keys = session.keys(&wanted(&names, Days::One(day()))).await.unwrap();
    assert!(!keys.found.is_empty(), "one server is read as it is");
    let (replica, _) = serve(secretive);
    options.servers.extend(replica.servers);
    let Err(error) = RedisSession::open(&options).await else {
        panic!("both were read");
    };
    assert!(error.to_string().contains("may not ask INFO"), "{error}");
    assert!(error.remedy().contains("+info") && !error.may_pass());
}

/// A server that answers all it is asked with these octets, again and again until the connection ends.
fn flood(octets: Vec<u8>, again: bool) -> RedisOptions {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut asked) = (stream.unwrap(), [0; 512]);
            let _ = std::io::Read::read(&mut stream, &mut asked);
            while stream.write_all(&octets).is_ok() && again {}
            // What is not read yet is still sent.
            let _ = std::io::Read::read(&mut stream, &mut asked);
        }
    });
    RedisOptions {
        servers: vec![RedisAddress::Tcp("127.0.0.1".to_owned(), port)],
        username: None,
        password: None,
        database: 0,
    }
}

async fn refused(options: &RedisOptions) -> RedisError {
    match RedisSession::open(options).await {
        Err(error) => error,
        Ok(_) => panic!("a flood was read"),
    }
}

#[tokio::test]
async fn a_server_that_sends_without_end_is_left() {
    let elements = [&b"*200000\r\n"[..], &b"$5\r\nabcde\r\n".repeat(5_000)].concat();
    let announced = [&b"*2147483647\r\n"[..], &b"$5\r\nabcde\r\n".repeat(5_000)].concat();
    let text = [&b"$67108864\r\n"[..], &vec![b'x'; 100_000]].concat();
    for (octets, words) in [
        (elements, "200000 elements"),
        (announced, "200000 elements"),
        (text, "67108864 octets"),
        (b"+".repeat(100_000), "a line of more than 65536 octets"),
    ] {
        let error = refused(&flood(octets, true)).await;
        assert!(error.to_string().contains(words), "{error}, not {words}");
        assert!(error.may_pass() && !error.remedy().is_empty());
    }
}

#[tokio::test]
async fn what_a_server_says_is_cut_and_visible() {
    let said = format!("-ERR \u{1b}[31m{}\r\n", "x".repeat(60_000));
    let error = refused(&flood(said.into_bytes(), false)).await;
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        !source.contains('\u{1b}') && source.contains("[31mxxx"),
        "{source}"
    );
    // One character is spelled out in six.
    assert_eq!(source.len(), error::MAX_SAID + 5 + CUT.len(), "{source}");
}

#[tokio::test]
async fn the_entries_of_a_key_are_read_up_to_so_many_octets() {
    let long = || "x".repeat(1 << 20);
    let (options, asked) = serve(move |words| match words.first().map(String::as_str) {
        Some("ZSCAN") => Reply::Page("7", vec![long(), "1".to_owned()]),
        _ => Reply::Text("master_replid:abc"),
    });
    let names = Names::default();
    let key = landmarc_migrate::rspamd::RecordKey::read(
        RPT.as_bytes(),
        landmarc_migrate::rspamd::Shape::Scores,
        &names,
    )
    .unwrap();
    let found = FoundKey {
        key,
        parts: vec![(0, RPT.as_bytes().to_owned())],
    };
    let mut session = RedisSession::open(&options).await.unwrap();
    let content = session.content(&found).await.unwrap();
    assert!(content.unread_count > 0, "the rest is reported as left out");
    let pages = asked
        .lock()
        .unwrap()
        .iter()
        .filter(|one| one.starts_with("ZSCAN"))
        .count();
    assert_eq!(pages, MAX_CONTENT_OCTETS >> 20);
}

#[test]
fn the_password_is_not_shown() {
    let options = RedisOptions {
        servers: vec![
            RedisAddress::Tcp("::1".to_owned(), 6379),
            RedisAddress::Unix("/run/r.sock".into()),
        ],
        username: Some("reader".to_owned()),
        password: Some("secret".to_owned()),
        database: 0,
    };
    let shown = format!("{options:?}");
    assert!(!shown.contains("secret") && shown.contains("reader"), "{shown}");
    assert_eq!(options.servers[0].to_string(), "[::1]:6379");
    assert_eq!(options.servers[1].to_string(), "unix:/run/r.sock");
}
