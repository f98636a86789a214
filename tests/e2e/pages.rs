//! The commands of the pages, run as they stand there, in the order in which a reader comes to them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use landmarc_e2e::{DocPage, Postfix, PostfixConfig, ScratchHost};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{free_port, output_of};

use crate::binary::executable;
use crate::world::{ALLOWED, HELO, STRANGER, add_text, envelope, letter, queue_id, results, send, zones};

/// A host with the program and a message that it received, whose resolver knows `plain.example`; with its resolver.
fn host(name: &str) -> Option<(ScratchHost, DnsServer)> {
    let host = ScratchHost::start(name)?;
    let mut zones = zones();
    add_text(&mut zones, "_dmarc.plain.example", "v=DMARC1; p=reject");
    // Each test is a process: no other has this address.
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = SocketAddr::from((Ipv4Addr::new(127, 77, high, low), 53));
    let dns = DnsServer::start_at(address, zones);
    let lines = format!(
        "echo 'nameserver {}' > /etc/resolv.conf\n\
         mkdir -p /usr/local/bin\n\
         ln -s '{}' /usr/local/bin/landmarc\n",
        address.ip(),
        executable().display()
    );
    output_of(&mut host.command(&lines));
    // These would act on this machine.
    for name in ["systemctl", "journalctl", "postfix"] {
        host.stand_in(name, "exit 0");
    }
    let mut message = b"Return-Path: <a@plain.example>\r\n".to_vec();
    message.extend(letter("a@plain.example"));
    fs::write(host.here().join("message.eml"), message).expect("the folder is ours");
    Some((host, dns))
}

#[test]
fn the_commands_of_the_readme_run_in_their_order() {
    let Some((host, _dns)) = host("pages-readme") else {
        return;
    };
    // `cargo run --release -- ARGUMENTS` runs the program, where others would wait for the compiler.
    let program = executable().display();
    host.stand_in("cargo", &format!("shift 3\nexec '{program}' \"$@\""));
    fs::create_dir_all(host.here().join("target/release")).expect("the folder is ours");
    std::os::unix::fs::symlink(executable(), host.here().join("target/release/landmarc"))
        .expect("a new name");
    // Other tests listen on the ports of the defaults.
    let (milter, http) = (free_port(), free_port());
    let settings = format!(
        "mkdir -p /etc/landmarc\n\
         echo 'milter.listen = [\"inet:127.0.0.1:{milter}\"]' > /etc/landmarc/landmarc.toml\n\
         echo 'web.listen = [\"127.0.0.1:{http}\"]' >> /etc/landmarc/landmarc.toml\n"
    );
    output_of(&mut host.command(&settings));

    let page = DocPage::read("README.md");
    let [serve, check, logs @ ..] = &page.blocks("sh")[..] else {
        panic!("README has two commands");
    };
    let service = host.serve("serve.log", &serve.text).listens_on(milter);
    let judged = host.command(&check.text).output().expect("bash starts");
    // The message fails DMARC, as the one that the page shows.
    assert_eq!(judged.status.code(), Some(1), "{check}{judged:?}");
    let explanation = String::from_utf8_lossy(&judged.stdout).into_owned();
    let headline = "Mail from plain.example fails DMARC";
    assert_eq!(explanation.get(..headline.len()), Some(headline), "{explanation}");
    assert!(!logs.is_empty());
    for block in logs {
        host.run(block);
    }
    assert_eq!(service.log().matches(" observes").count(), 1, "{}", service.log());
}

/// With smtpd in a chroot, as on Debian: the directory, the groups of the unit, the settings and the lines of
/// `main.cf` are those of the page.
#[test]
fn the_unix_socket_of_the_page_serves_a_chrooted_smtpd() {
    let Some((host, _dns)) = host("pages-socket") else {
        return;
    };
    let page = DocPage::read("docs/postfix.md");
    let main_cf = page.block("text", "smtpd_milters = unix:landmarc/milter.sock");
    let mut config = PostfixConfig::default().chrooted();
    for line in main_cf.text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.split_once(" = ").expect("a line of main.cf");
        config = config.set(name, value);
    }
    let Some(postfix) = Postfix::start(&config).expect("Postfix starts") else {
        return;
    };
    // What the packages of Postfix and landmarc leave: accounts, the queue directory, that of the records.
    let queue = postfix.queue_directory();
    let accounts = format!(
        "useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin landmarc\n\
         groupadd --non-unique --gid \"$(id -g mail)\" postfix\n\
         mkdir -p /var/spool/postfix /etc/systemd/system /etc/landmarc\n\
         mount --bind '{}' /var/spool/postfix\n\
         install -d -o landmarc -g landmarc -m 750 /var/lib/landmarc\n",
        queue.display()
    );
    output_of(&mut host.command(&accounts));

    let settings = &page.block("toml", "socket_group").text;
    let write = format!("cat > /etc/landmarc/landmarc.toml <<'END'\nweb.listen = []\n{settings}END\n");
    output_of(&mut host.command(&write));
    for block in page.blocks("sh") {
        host.run(&block);
    }
    // As systemd starts it, where the page has lines for the unit: its user, and the group of these lines.
    let unit = "export STATE_DIRECTORY=/var/lib/landmarc\n\
                unit=/etc/systemd/system/landmarc.service.d/postfix.conf\n\
                [ -e $unit ] || exec landmarc serve\n\
                grep -qx ReadWritePaths=/var/spool/postfix/landmarc $unit\n\
                group=$(sed -n 's/^SupplementaryGroups=//p' $unit)\n\
                exec setpriv --reuid landmarc --regid landmarc --groups \"$group\" landmarc serve";
    let mut service = host.serve("serve.log", unit);
    let socket = queue.join("landmarc/milter.sock");
    service.waited_for("listens", || socket.exists().then_some(()));

    for (client, verdict) in [(ALLOWED, "dmarc=pass"), (STRANGER, "dmarc=fail")] {
        let mut smtp = postfix.connect().expect("Postfix greets");
        smtp.ehlo(HELO).expect("EHLO is answered");
        let client = client.parse().expect("an address");
        smtp.as_client(client, None, HELO).expect("XCLIENT is answered");
        let from = "a@reject.example";
        let outcome = send(&mut smtp, &envelope(from), &letter(from));
        let delivered = postfix.sink.wait_for(queue_id(&outcome));
        let delivered = delivered.unwrap_or_else(|| panic!("{}", service.log()));
        assert!(results(&delivered).contains(verdict), "{}", service.log());
    }
}

/// On a host that has a settings file, a hosts file and a history of OpenDMARC.
#[test]
fn the_commands_of_the_way_from_opendmarc_run_in_their_order() {
    let Some((host, _dns)) = host("pages-opendmarc") else {
        return;
    };
    let conf = include_str!("../../crates/core/migrate/tests/it/opendmarc_settings/seed_active.conf");
    let (conf, history) = (conf.trim_end(), HISTORY.trim_end());
    let files = format!(
        "groupadd dmarc\n\
         useradd --system --gid dmarc opendmarc\n\
         mkdir -p /etc/opendmarc /var/run/opendmarc /etc/landmarc /usr/local/sbin\n\
         touch /etc/opendmarc/ignore.hosts\n\
         cat > /etc/opendmarc.conf <<'END'\n{conf}\nEND\n\
         cat > /var/run/opendmarc/opendmarc.dat <<'END'\n{history}\nEND\n"
    );
    output_of(&mut host.command(&files));
    for block in DocPage::read("docs/from-opendmarc.md").blocks("sh") {
        host.run(&block);
    }
    let status = output_of(&mut host.command("landmarc store status --json"));
    let status: serde_json::Value = serde_json::from_str(&status).expect("an object");
    assert_eq!(status["tally_rows"], 1, "{status}");
}

/// One message, as OpenDMARC writes it down.
const HISTORY: &str = "job 4ZQ0000001
reporter mx01.nausch.org
received 1780272000
ipaddr 192.0.2.7
from mail.example.com
mfrom bounce.example.com
spf 0
pdomain example.com
policy 15
rua -
pct 100
adkim 114
aspf 114
p 110
sp 0
align_dkim 4
align_spf 4
action 2
";
