//! From settings to the values that each room takes.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmarc::evaluation::DiscoveryMethod;
use dmarc::suffixes::Suffixes;
use dns::resolver::ResolverOptions;
use mail::message::HeaderLimits;
use milter::{ServerOptions, SocketAddress};
use receiver::local::{
    ArcUse, ClientFacts, FailureTable, Mode, OnFailure, QuarantineBy, RejectRule, Rules, UnusableAuthor,
    Wording,
};
use settings::keys::{self, Failure};
use settings::{Mistakes, Network, Placeholder, ReplyText, Settings};

use crate::exit::Exit;

/// Read when no file is named on the command line, if it is there.
pub(crate) const DEFAULT_FILE: &str = "/etc/landmarc/landmarc.toml";

/// Settings and the file they come from, if any.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) file: Option<PathBuf>,
}

/// Why there are no settings to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is wrong; the lines tell where.
    #[error("{0}")]
    Mistakes(String),
}

impl LoadError {
    /// How a command ends that could not load its settings.
    pub(crate) fn exit(&self) -> Exit {
        Exit::Config
    }
}

/// Reads the named file, or the default one where it exists; prints warnings.
///
/// # Errors
/// [`LoadError`] with every mistake at its line.
pub(crate) fn load_file(named: Option<&Path>) -> Result<(Loaded, Vec<String>), LoadError> {
    let default = Path::new(DEFAULT_FILE);
    let Some(path) = named.or_else(|| Some(default).filter(|path| path.exists())) else {
        return Ok((
            Loaded {
                settings: Settings::default(),
                file: None,
            },
            Vec::new(),
        ));
    };
    let file = path.display().to_string();
    let octets = read_limited(path).map_err(|source| LoadError::Io {
        file: file.clone(),
        source,
    })?;
    let mistakes = |mistakes: Mistakes| LoadError::Mistakes(mistakes.render(&file).trim_end().to_owned());
    let (settings, warnings) = settings::read_octets(&octets).map_err(mistakes)?;
    check(&settings).map_err(mistakes)?;
    let warnings = warnings.iter().map(|warning| warning.render(&file)).collect();
    Ok((
        Loaded {
            settings,
            file: Some(path.to_owned()),
        },
        warnings,
    ))
}

/// One octet more than is allowed is enough to know that it is too much.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read;
    let limit = u64::try_from(settings::MAX_FILE_OCTETS)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut octets = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut octets)?;
    Ok(octets)
}

/// As [`load_file`], for a command: prints what is wrong and says how to end.
pub(crate) fn load(named: Option<&Path>) -> Result<Settings, Exit> {
    match load_file(named) {
        Ok((loaded, warnings)) => {
            for warning in warnings {
                eprintln!("{warning}");
            }
            Ok(loaded.settings)
        }
        Err(error) => {
            eprintln!("{error}");
            Err(error.exit())
        }
    }
}

/// What only the program can check: sockets and files that settings name.
fn check(settings: &Settings) -> Result<(), Mistakes> {
    let mut mistakes = Vec::new();
    for (index, spelling) in settings.milter.listen.iter().enumerate() {
        if let Err(error) = spelling.parse::<SocketAddress>() {
            mistakes.push(settings.refuse("milter.listen", Some(index), error.to_string()));
        }
    }
    if settings.milter.listen.is_empty() {
        mistakes.push(settings.refuse("milter.listen", None, "without a socket no mail can be judged"));
    }
    if let Err(error) = suffixes(settings) {
        mistakes.push(settings.refuse("dmarc.public_suffix_list", None, error));
    }
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(Mistakes(mistakes))
    }
}

/// The list of the file, or the one inside the program where no file was asked for.
fn suffixes(settings: &Settings) -> Result<Suffixes, String> {
    const KEY: &str = "dmarc.public_suffix_list";
    let Some(path) = &settings.dmarc.public_suffix_list else {
        return Ok(Suffixes::built_in());
    };
    let asked_for = settings.written.place(KEY).is_some();
    match fs::read_to_string(path) {
        Ok(text) => Suffixes::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) if asked_for => Err(format!("{}: {error}", path.display())),
        Err(_) => Ok(Suffixes::built_in()),
    }
}

/// Why rules cannot be made of settings.
#[derive(Debug, thiserror::Error)]
#[error("the public suffix list cannot be used: {0}")]
pub(crate) struct RulesError(String);

/// The operator's decisions as the receiver takes them.
///
/// # Errors
/// When the public suffix list became unreadable since the settings were checked.
pub(crate) fn rules(settings: &Settings) -> Result<Rules, RulesError> {
    Ok(Rules {
        mode: match settings.mode {
            keys::Mode::Observe => Mode::Observe,
            keys::Mode::Enforce => Mode::Enforce,
        },
        authserv_id: settings
            .authserv_id
            .as_ref()
            .map_or_else(host_name, |id| id.as_str().to_owned()),
        header_limits: HeaderLimits {
            section_octets: settings.limits.header_section.as_usize(),
            field_octets: settings.limits.header_field.as_usize(),
            fields: settings.limits.header_fields,
        },
        check_helo: settings.spf.helo_check,
        fetch_explanation: settings.spf.fetch_explanation,
        dkim: dkim(&settings.dkim),
        arc: match settings.arc.validate {
            keys::ArcValidation::Trusted => ArcUse::Trusted,
            keys::ArcValidation::Always => ArcUse::Always,
            keys::ArcValidation::Never => ArcUse::Never,
        },
        trusted_sealers: settings.arc.trusted_sealers.clone(),
        discovery: match settings.dmarc.discovery {
            keys::Discovery::Treewalk => DiscoveryMethod::TreeWalk,
            keys::Discovery::Psl => DiscoveryMethod::Psl,
        },
        compare_rfc7489: settings.dmarc.compare_rfc7489,
        dmarc: dmarc::evaluation::Options {
            unmarked_suffix_guard: settings.dmarc.unmarked_suffix_guard,
            pct_zero_as_test: settings.dmarc.pct_zero_as_test,
        },
        suffixes: Arc::new(suffixes(settings).map_err(RulesError)?),
        reject: match settings.action.reject {
            keys::Reject::Evidence => RejectRule::Evidence,
            keys::Reject::Always => RejectRule::Always,
            keys::Reject::Never => RejectRule::Never,
        },
        reject_text: wording(&settings.action.reject_text),
        quarantine: match settings.action.quarantine {
            keys::Quarantine::Hold => QuarantineBy::Hold,
            keys::Quarantine::Header => {
                QuarantineBy::Header(settings.action.quarantine_header.as_str().to_owned())
            }
        },
        unusable_author: match settings.action.unusable_author {
            keys::UnusableAuthor::Refuse => UnusableAuthor::Refuse,
            keys::UnusableAuthor::Accept => UnusableAuthor::Accept,
        },
        local_domains: settings.action.local_domains.clone(),
        recognise_lists: settings.action.mailing_lists,
        failures: FailureTable {
            dns: on_failure(&settings.failures.dns),
            unusable_record: on_failure(&settings.failures.unusable_record),
            budget: on_failure(&settings.failures.budget),
            internal: on_failure(&settings.failures.internal),
        },
        remove_all_results: settings.clients.remove_all_results,
    })
}

fn dkim(dkim: &keys::Dkim) -> auth::dkim::Options {
    auth::dkim::Options {
        max_signatures: dkim.max_signatures,
        min_rsa_bits: u32::try_from(dkim.min_rsa_bits).unwrap_or(u32::MAX),
        max_rsa_bits: u32::try_from(dkim.max_rsa_bits).unwrap_or(u32::MAX),
        accept_body_length: dkim.accept_body_length,
        accept_testing_keys: dkim.accept_testing_keys,
        clock_skew: dkim.clock_skew.as_secs(),
        refused_domains: dkim.refused_domains.clone(),
    }
}

fn on_failure(failure: &Failure) -> OnFailure {
    match failure.action {
        keys::FailureAction::Accept => OnFailure::Accept,
        keys::FailureAction::Tempfail => OnFailure::TempFail {
            code: failure.code,
            enhanced: failure.enhanced.to_string(),
            text: wording(&failure.text),
        },
    }
}

fn wording(text: &ReplyText) -> Wording {
    let text = text.clone();
    Wording::new(move |blanks| {
        text.fill(|placeholder| match placeholder {
            Placeholder::AuthorDomain => blanks.author_domain,
            Placeholder::Reason => blanks.reason,
            Placeholder::Id => blanks.id,
        })
    })
}

/// What this host calls itself; without a name at least a token.
fn host_name() -> String {
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    let name = name.map(|name| name.to_ascii_lowercase());
    name.filter(|name| mail::DomainName::parse(name).is_ok())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// How DNS is asked.
pub(crate) fn resolver_options(settings: &Settings) -> ResolverOptions {
    ResolverOptions {
        name_servers: settings.dns.name_servers.iter().map(|server| server.0).collect(),
        question_timeout: settings.dns.question_timeout,
        message_timeout: settings.dns.message_timeout,
        questions_in_flight: settings.dns.questions_in_flight,
        cache_entries: settings.dns.cache_entries,
        failure_ttl: settings.dns.failure_ttl,
        ..ResolverOptions::default()
    }
}

/// How the milter server behaves.
pub(crate) fn server_options(settings: &Settings) -> ServerOptions {
    ServerOptions {
        max_sessions: settings.milter.max_sessions,
        stall_timeout: settings.milter.stall_timeout,
        idle_timeout: settings.milter.idle_timeout,
        shutdown_grace: settings.server.shutdown_grace,
        header_limit: u32::try_from(settings.limits.header_section.as_usize()).unwrap_or(u32::MAX),
        progress_interval: Duration::from_secs(5),
        ..ServerOptions::default()
    }
}

/// What the operator's lists say of a client.
pub(crate) fn client_facts(settings: &Settings, client: Option<IpAddr>) -> ClientFacts {
    let listed = |networks: &[Network]| client.is_some_and(|ip| networks.iter().any(|net| net.contains(ip)));
    ClientFacts {
        trusted_forwarder: listed(&settings.action.trusted_forwarders),
        keeps_results: listed(&settings.clients.trusted_relays_keep_results),
    }
}

/// Whether the client is one of ours and not judged.
pub(crate) fn is_trusted(settings: &Settings, client: IpAddr) -> bool {
    settings
        .clients
        .trusted_networks
        .iter()
        .any(|network| network.contains(client))
}
