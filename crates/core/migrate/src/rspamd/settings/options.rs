//! What becomes of each option of rspamd.

use super::{RELAY_HOST, RELAY_PORT};
use crate::file::toml_list;
use crate::rspamd::ucl::UclValue;
use landmarc_settings::{key, toml_string};

/// How much an option counts: that of the module before the one for all modules.
pub(super) type Rank = u8;

/// What becomes of an option.
pub(super) enum Outcome<'v> {
    /// These settings, each with its value as it is written in our file; and what to look at.
    Set {
        rank: Rank,
        settings: Vec<(&'static str, String)>,
        note: &'static str,
    },
    /// No setting, and why.
    Left(&'static str),
    /// A macro that is not followed: what stands there, and why.
    Include { what: &'v str, why: &'static str },
    /// A setting that somebody has to make by hand, and how.
    ByHand(&'static str),
    /// It is no option, but the beginning of a section.
    Nothing,
    /// It is none of the DMARC or Redis sections.
    OfAnother,
    /// The value is none.
    Wrong { what: String, remedy: &'static str },
}

/// Redis for one module, inside the section of that module; its own section; that of Redis.
const IN_MODULE: Rank = 4;
const OF_MODULE: Rank = 3;
const FOR_MODULE: Rank = 2;
const FOR_ALL: Rank = 1;

const STORED_BY_RSPAMD: &str = "stays with rspamd: it is about how rspamd keeps its records";
const NOT_REWRITTEN: &str = "left out: landmarc does not rewrite From; keep it in rspamd";
const NO_PCT: &str = "left out: RFC 9989 has no pct, so there is no sampling";
const OWN_MAIL: &str = "not needed: report mail, its ids and its retries are landmarc's (docs/reporting.md)";

/// What becomes of the option at this path.
pub(super) fn outcome<'v>(path: &[&str], value: &'v UclValue) -> Outcome<'v> {
    if let UclValue::Macro(what) = value {
        let why = "not followed: name the file that it includes as well";
        return Outcome::Include { what, why };
    }
    match path {
        ["dmarc"] => Outcome::Left("nothing to switch on: every message is judged"),
        ["dmarc", "redis", rest @ ..] => redis(rest, value, IN_MODULE),
        ["dmarc", "reporting" | "report_settings", "redis_keys", name] => redis_keys(name, value),
        ["dmarc", "reporting" | "report_settings", name, ..] => reporting(name, value),
        ["dmarc", "actions", name] => actions(name, value),
        [
            "dmarc",
            "actions" | "symbols" | "munging" | "reporting" | "report_settings",
        ] if *value == UclValue::Section => Outcome::Nothing,
        ["dmarc", "symbols", ..] => Outcome::Left("left out: /checkv2 answers with the usual symbols"),
        ["dmarc", "munging", ..] => Outcome::Left(NOT_REWRITTEN),
        ["dmarc", name, ..] => dmarc(name, value),
        ["redis"] => Outcome::Nothing,
        ["redis", "dmarc", rest @ ..] => redis(rest, value, FOR_MODULE),
        ["redis", name] if *value != UclValue::Section => redis(&[name], value, FOR_ALL),
        ["redis", ..] => Outcome::Left("of another module that keeps something in Redis"),
        _ => Outcome::OfAnother,
    }
}

fn dmarc(name: &str, value: &UclValue) -> Outcome<'static> {
    match name {
        "reporting" | "send_reports" => match truth(value) {
            Some(true) => Outcome::Left(
                "records are read once rspamd.servers is set; reports go out once report.email is",
            ),
            Some(false) => Outcome::Left("rspamd stores no records, so there is nothing to read"),
            None => wrong_truth(value),
        },
        "key_prefix" => set(OF_MODULE, key!(rspamd.key_prefix), one(value), ""),
        "no_sampling_domains" => Outcome::Left(NO_PCT),
        "no_reporting_domains" => excluded(value),
        "auth_and_local_conf" | "check_local" | "check_authed" => Outcome::Left(
            "see clients.trusted_networks and clients.skip_authenticated: whose mail is not judged",
        ),
        "enabled" => Outcome::Left("stays with rspamd: whether its module runs"),
        _ => redis(&[name], value, OF_MODULE),
    }
}

/// Where Redis is, and how it lets in.
fn redis(path: &[&str], value: &UclValue, rank: Rank) -> Outcome<'static> {
    let [name] = path else {
        return match path {
            [] => Outcome::Nothing,
            _ => Outcome::Left(UNKNOWN),
        };
    };
    match *name {
        "servers" | "server" => set(rank, key!(rspamd.servers), servers(value), ""),
        // Those that are there to be read from go before those that are there for both.
        "read_servers" => set(rank + 10, key!(rspamd.servers), servers(value), ""),
        "write_servers" => Outcome::Left("not needed: records are read, and nothing is written"),
        "username" => set(rank, key!(rspamd.username), one(value), ""),
        "password" => {
            Outcome::ByHand("write it into a file that only landmarc can read, and set rspamd.password_file")
        }
        "db" | "dbname" | "database" => set_number(rank, key!(rspamd.database), value),
        "sentinels" | "sentinel_watch_time" | "sentinel_masters_pattern" | "sentinel_master_maxerrors" => {
            Outcome::Left("left out: name the servers themselves in rspamd.servers; of replicas one is read")
        }
        "timeout" => Outcome::Left("not needed: reading waits for nobody, so its limits are fixed"),
        "prefix" | "expand_keys" => Outcome::Left("not needed: rspamd does not use it for its DMARC records"),
        "disabled_modules" | "enabled_modules" | "redis_version" => Outcome::Left(STORED_BY_RSPAMD),
        _ => Outcome::Left(UNKNOWN),
    }
}

const UNKNOWN: &str = "not known: no release of rspamd up to 3.4 documents it";

fn redis_keys(name: &str, value: &UclValue) -> Outcome<'static> {
    match name {
        "index_prefix" => set(OF_MODULE, key!(rspamd.index_prefix), one(value), ""),
        "report_prefix" => Outcome::Left("not needed: the index names the records"),
        "join_char" if text(value) == Some(";") => Outcome::Left("as it always is"),
        "join_char" => Outcome::Wrong {
            what: "records are read only where this is \";\"".to_owned(),
            remedy: "take the line out of rspamd's settings; what it has written under the old names is gone in two days",
        },
        _ => Outcome::Left(UNKNOWN),
    }
}

/// `reporting { }` of 3.x and `report_settings { }` of 2.x.
fn reporting(name: &str, value: &UclValue) -> Outcome<'static> {
    match name {
        "enabled" => dmarc("reporting", value),
        "email" => set(OF_MODULE, key!(report.email), one(value), ""),
        "domain" => set(OF_MODULE, key!(report.domain), one(value), ""),
        "org_name" => set(OF_MODULE, key!(report.organization), one(value), ""),
        "helo" => set(OF_MODULE, key!(report.delivery.hello), one(value), ""),
        "smtp" => set(
            OF_MODULE,
            RELAY_HOST,
            plain(value),
            "set report.delivery.tls = \"none\" if the server speaks no TLS",
        ),
        "smtp_port" => set_number(OF_MODULE, RELAY_PORT, value),
        "exclude_domains" => excluded(value),
        "exclude_recipients" => Outcome::Left(
            "see clients.skip_recipients: mail to them is not judged at all; reports never name recipients",
        ),
        "exclude_rua_addresses" => Outcome::Left("run: landmarc outbox suppress ADDRESS, for each"),
        "only_domains" => Outcome::Left(
            "stays with rspamd for the records it keeps; landmarc reports about all domains but report.exclude_domains",
        ),
        "bcc_addrs" | "additional_address" | "additional_address_bcc" => {
            Outcome::Left("left out: landmarc outbox show shows every message that was sent")
        }
        "report_local_controller" | "max_entries" | "keys_expire" => Outcome::Left(STORED_BY_RSPAMD),
        "retries" | "msgid_from" | "from_name" | "from_display_name" | "hscan_count" | "override_address" => {
            Outcome::Left(OWN_MAIL)
        }
        "redis_keys" => Outcome::Nothing,
        _ => Outcome::Left(UNKNOWN),
    }
}

/// What rspamd does to a message by what DMARC says.
fn actions(name: &str, value: &UclValue) -> Outcome<'static> {
    let Some(action) = text(value) else {
        return wrong_text();
    };
    let action = action.replace('_', " ");
    let marks = ["add header", "rewrite subject"].contains(&action.as_str());
    match (name, action.as_str()) {
        (_, "no action" | "accept") => Outcome::Left("nothing is done then, as out of the box"),
        ("reject", "reject") => enforce(
            (key!(action.reject), "always"),
            "without other evidence RFC 9989 §7.4 forbids it: action.reject = \"evidence\" is the default",
        ),
        ("reject", _) if marks || action == "quarantine" => enforce((key!(action.reject), "never"), ""),
        ("quarantine", "quarantine" | "reject") => enforce((key!(action.quarantine), "hold"), ""),
        ("quarantine", _) if marks => enforce((key!(action.quarantine), "header"), ""),
        ("dnsfail", "soft reject" | "greylist") => enforce((key!(failures.dns.action), "tempfail"), ""),
        ("badpolicy", "soft reject" | "greylist") => {
            enforce((key!(failures.unusable_record.action), "tempfail"), "")
        }
        ("softfail", _) => Outcome::Left("left out: the domain asks for nothing (p=none)"),
        ("na", _) => Outcome::Left(
            "left out: without a record nothing is asked for; a rule can name such mail (docs/rules.md)",
        ),
        ("reject" | "quarantine" | "dnsfail" | "badpolicy", _) => {
            Outcome::Left("left out: see the tables action and failures for what can be done")
        }
        _ => Outcome::Left(UNKNOWN),
    }
}

fn enforce((key, word): (&'static str, &str), note: &'static str) -> Outcome<'static> {
    Outcome::Set {
        rank: OF_MODULE,
        settings: vec![(key!(mode), toml_string("enforce")), (key, toml_string(word))],
        note,
    }
}

/// Domains that get no reports. A map is a file of its own.
fn excluded(value: &UclValue) -> Outcome<'static> {
    let items = match value {
        UclValue::List(items) => items.clone(),
        UclValue::Text(text) if !text.contains('/') => {
            text.split(',').map(|item| item.trim().to_owned()).collect()
        }
        _ => return Outcome::Left("write the domains of that map into report.exclude_domains"),
    };
    set(
        OF_MODULE,
        "report.exclude_domains",
        Some(toml_list(&items)),
        "names below them are not meant",
    )
}

fn set(rank: Rank, key: &'static str, value: Option<String>, note: &'static str) -> Outcome<'static> {
    match value {
        Some(value) => Outcome::Set {
            rank,
            settings: vec![(key, value)],
            note,
        },
        None => wrong_text(),
    }
}

fn set_number(rank: Rank, key: &'static str, value: &UclValue) -> Outcome<'static> {
    match text(value).and_then(|text| text.parse::<u32>().ok()) {
        Some(number) => set(rank, key, Some(number.to_string()), ""),
        None => Outcome::Wrong {
            what: "the value is no whole number".to_owned(),
            remedy: "write a number, without a unit",
        },
    }
}

fn wrong_text() -> Outcome<'static> {
    Outcome::Wrong {
        what: "the value is empty, or not of the kind that the option takes".to_owned(),
        remedy: "write one value in quotes, or for servers a list of them",
    }
}

fn wrong_truth(value: &UclValue) -> Outcome<'static> {
    match value {
        // The section of 3.x.
        UclValue::Section => Outcome::Nothing,
        _ => Outcome::Wrong {
            what: "the value is neither true nor false".to_owned(),
            remedy: "write true or false",
        },
    }
}

fn text(value: &UclValue) -> Option<&str> {
    match value {
        UclValue::Text(text) => Some(text),
        UclValue::List(_) | UclValue::Section | UclValue::Macro(_) => None,
    }
}

fn truth(value: &UclValue) -> Option<bool> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn one(value: &UclValue) -> Option<String> {
    text(value).map(toml_string)
}

/// Part of a value: without quotes.
fn plain(value: &UclValue) -> Option<String> {
    text(value).map(str::to_owned)
}

/// Servers with what rspamd adds to them: how they take turns before all of them, a weight behind each.
fn servers(value: &UclValue) -> Option<String> {
    const TURNS: [&str; 6] = [
        "master-slave:",
        "round-robin:",
        "random:",
        "hash:",
        "sequential:",
        "sticky:",
    ];
    let items: Vec<&str> = match value {
        UclValue::Text(text) => {
            let named = TURNS.iter().find_map(|turn| text.strip_prefix(turn));
            named.unwrap_or(text).split(',').collect()
        }
        UclValue::List(items) => items.iter().map(String::as_str).collect(),
        UclValue::Section | UclValue::Macro(_) => return None,
    };
    let items = items
        .iter()
        .map(|item| item.trim())
        .filter(|item| !item.is_empty());
    let items: Vec<_> = items.map(|item| without_weight(item).to_owned()).collect();
    (!items.is_empty()).then(|| toml_list(&items))
}

/// `HOST:PORT:WEIGHT`; an IPv6 address with a port is in brackets.
fn without_weight(server: &str) -> &str {
    let Some((rest, weight)) = server.rsplit_once(':') else {
        return server;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let names_a_port = match rest.split_once(']') {
        Some((_, port)) => port.strip_prefix(':').is_some_and(is_number),
        None => rest.matches(':').count() == 1 && rest.rsplit(':').next().is_some_and(is_number),
    };
    if names_a_port && is_number(weight) {
        rest
    } else {
        server
    }
}
