//! Redis that is not there, DNS that does not answer, and a service that is stopped meanwhile.

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::free_port;

use super::running::{import, line, wait_until_tallied};
use super::site::{Redis, Rspamd, messages, sums, today, zones};
use crate::binary::landmarc;
use crate::service::{Service, Socket};

/// Redis dies in the middle and comes back: said once, and nothing is lost or counted twice.
#[test]
fn redis_dies_and_comes_back() {
    let dns = DnsServer::start(zones());
    let Some(mut redis) = Redis::start() else { return };
    let Some(rspamd) = Rspamd::start(&redis, &dns) else {
        return;
    };
    let settings = format!(
        "rspamd.servers = [\"{}\"]\nrspamd.interval = \"1s\"\n",
        redis.address()
    );
    let service = Service::start("rspamd-dies", Socket::Inet, dns.addr(), &settings);
    let first_day = today();
    let all = messages(60);
    let (early, late) = all.split_at(30);
    early.iter().for_each(|message| rspamd.judge(message));
    wait_until_tallied(&service, first_day, &sums(early));
    redis.kill();
    let printed = service.wait_for_line("records of rspamd cannot be read");
    assert!(
        printed.contains("redis-server"),
        "with what can be done: {printed}"
    );
    redis.start_again();
    service.wait_for_line("records of rspamd are read again");
    // rspamd tries a server that failed it again after a while; what it could not count is not for us to know.
    let counted = |redis: &Redis| redis.ask(&["KEYS", "dmarc_rpt*"]).lines().count();
    assert_eq!(counted(&redis), 4, "what was counted is there again");
    late.iter().for_each(|message| count(&redis, message));
    wait_until_tallied(&service, first_day, &sums(&all));
    let outages = service
        .log()
        .iter()
        .filter(|line| line.contains("cannot be read"))
        .count();
    assert_eq!(outages, 1, "{}", service.log().join("\n"));
}

/// Counts a message by the commands that rspamd's own script has.
fn count(redis: &Redis, message: &super::site::Message) {
    let date = super::running::format_day(today());
    let (policy_domain, author, client, spf, dkim, disposition) = &message.row;
    let word = |passes: &bool| if *passes { "pass" } else { "fail" };
    let disposition = if disposition == "pass" {
        "none"
    } else {
        disposition
    };
    let signature = if *dkim { policy_domain.as_str() } else { "" };
    let member = format!(
        "{client},{},{},{disposition},,{author},{signature},,,,{author},{}",
        word(spf),
        word(dkim),
        word(spf)
    );
    let key = format!("dmarc_rpt;{policy_domain};mailto:dmarc@{policy_domain};{date}");
    redis.ask(&["SADD", &format!("dmarc_idx;{date}"), &key]);
    redis.ask(&["ZINCRBY", &key, "1", &member]);
}

/// Mail is judged and the service stops at once, whether Redis is there or not.
#[test]
fn a_service_starts_and_stops_without_redis() {
    let dns = DnsServer::start(zones());
    let settings = format!(
        "rspamd.servers = [\"127.0.0.1:{}\"]\nrspamd.interval = \"1s\"\n",
        free_port()
    );
    let mut service = Service::start("rspamd-without", Socket::Inet, dns.addr(), &settings);
    service.wait_for_line("records of rspamd cannot be read");
    service.terminate();
    assert!(service.wait_for_end().success());
    let ran = landmarc(line(&service, &[]));
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot connect"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("  see whether redis-server runs"),
        "{}",
        ran.stderr
    );
}

/// A Redis that asks for a password is told by name and password, and by nothing else.
#[test]
fn redis_that_asks_for_a_password_gets_it_from_a_file() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let service = Service::start("rspamd-password", Socket::Inet, dns.addr(), "");
    redis.ask(&[
        "ACL",
        "SETUSER",
        "reader",
        "on",
        ">secret words",
        "~*",
        "+@read",
        "+@connection",
        "+info",
    ]);
    redis.ask(&[
        "LPUSH",
        "dmarc_alpha.example",
        &format!("{},192.0.2.7,true,true,none", today().begins_s()),
    ]);
    redis.ask(&["CONFIG", "SET", "requirepass", "another"]);
    let file = service.settings_file().with_file_name("password");
    std::fs::write(&file, "secret words\n").unwrap();
    let (file, server) = (file.display().to_string(), redis.address());
    let ran = landmarc(line(&service, &["--redis", &server]));
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    assert!(ran.stderr.contains("let us in"), "{}", ran.stderr);
    let options = [
        "--redis",
        &server,
        "--username",
        "reader",
        "--password-file",
        &file,
    ];
    assert_eq!(import(&service, &options)["new"], 1);
}

/// Records of domains that DNS does not answer about wait, unless they are wanted as they are.
#[test]
fn records_wait_for_dns() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let settings = "dns.question_timeout = \"200ms\"\ndns.failure_ttl = \"1s\"\n";
    let service = Service::start("rspamd-dns", Socket::Inet, dns.addr(), settings);
    messages(20).iter().for_each(|message| count(&redis, message));
    dns.set_silent(true);
    let server = redis.address();
    let ran = landmarc(line(&service, &["--redis", &server]));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.contains("20 waiting"), "{}", ran.stdout);
    assert!(ran.stderr.contains("--no-dns"), "{}", ran.stderr);
    dns.set_silent(false);
    assert_eq!(import(&service, &["--redis", &server])["new"], 20);
}
