//! What is allowed, but should be looked at.

use landmarc_mail::DomainName;

use landmarc_receiver::policy::{ArcUse, EnforcementMode, RejectRule, ResultSource, UnusableAuthor};

use crate::keys::DeliveryBy;
use crate::mistake;
use crate::place::FilePosition;
use crate::{IpNetwork, Settings};

/// From here on fewer keys are accepted than most domains sign with.
const COMMON_RSA_BITS: usize = 2048;

/// What the policies of one message may take: four author domains with eight names of a
/// tree walk each (RFC 9989 §4.10), and one question whether the domain exists.
const POLICY_QUESTIONS: usize = 4 * (8 + 1);

/// RFC 5321 §3.8: the reply that announces the end of the connection.
const CLOSING_CHANNEL: u16 = 421;

/// A setting that is taken as written, and why to look at it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where the value is; nowhere, if the file does not mention the key.
    pub place: Option<FilePosition>,
    /// The full name of the key.
    pub key: String,
    /// Why.
    pub concern: Concern,
}

/// Why a setting should be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Concern {
    /// Rejection on the word of the Domain Owner alone.
    #[error(
        "goes beyond RFC 9989 §7.4, which forbids rejecting a message solely because its domain asks for \
         it; mailing lists lose subscribers by it"
    )]
    BeyondTheRfc,
    /// Messages without an Author Domain pass (decision D3).
    #[error("lets a message escape judgement by a From field that nobody can read")]
    AuthorLoophole,
    /// A list that anybody can be on.
    #[error("lets a message escape judgement by a From field that anybody can write; a rule can name more")]
    AnybodysAuthor,
    /// Any local user may connect.
    #[error("lets every user of this host speak to the socket")]
    WorldWritableSocket,
    /// The network of everybody.
    #[error("{0} is every address there is: {1}")]
    Everybody(IpNetwork, &'static str),
    /// What follows the signed part of a body is not signed.
    #[error("accepts text that anybody added below the signed part of a body (RFC 6376 §8.2)")]
    UnsignedEnd,
    /// More than RFC 8301 asks for.
    #[error("fails signatures that RFC 8301 §3.2 has verifiers accept, and that many domains make")]
    FewRsaKeys,
    /// A share of the questions is too small for what it is for; holds the fewest that suffice.
    #[error(
        "is too little: {signatures} signatures and the policies of four author domains need {needed} \
         questions for each message (dns.questions_per_message), a fifth of them for keys; signatures past \
         that are not verified, and policies past that are a temporary error"
    )]
    FewQuestions {
        /// Signatures that are verified.
        signatures: usize,
        /// Questions for each message.
        needed: usize,
    },
    /// Sealers are listed, but ARC is not looked at.
    #[error("has no effect, as arc validation is switched off")]
    SealersUnused,
    /// Names are trusted, or Received-SPF is, but nothing is taken from filters ahead.
    #[error("has no effect, as {0} \"self\"")]
    UpstreamUnused(&'static str),
    /// A rule of the operator that accepts whatever claims to be meant.
    #[error(
        "accepts what anybody can write into a message; name what is verified as well, such as dkim_domain, \
         client or arc_sealer"
    )]
    AnybodyCanMeetIt,
    /// RFC 9990 §3.5.1: report mail must pass DMARC, in alignment, and SPF alone breaks on the way.
    #[error(
        "reports are not signed here (report.dkim_keys is empty): unless the mail server signs them, they may \
         not pass DMARC, as RFC 9990 §3.5.1 demands; \"landmarc dkim new\" makes a key"
    )]
    UnsignedReports,
    /// A signature that no receiver will find in alignment.
    #[error(
        "{signing} is neither the domain of report.email nor above or below it: the signatures are in \
         alignment with {author} only if both have the same Organizational Domain"
    )]
    ForeignSignature {
        /// What messages are signed for.
        signing: DomainName,
        /// What they come from.
        author: DomainName,
    },
    /// Something is switched on that the missing address keeps off.
    #[error("has no effect, as report.email is empty and nothing is reported")]
    NothingReported,
    /// Reply 421.
    #[error("421 makes the mail server close the connection, and other messages with it (RFC 5321 §3.8)")]
    ClosesConnection,
}

impl Warning {
    /// `FILE:LINE:COLUMN: KEY: warning: why`, without a line feed.
    #[must_use]
    pub fn render(&self, file: &str) -> String {
        mistake::line(
            file,
            self.place,
            &self.key,
            &format_args!("warning: {}", self.concern),
        )
    }
}

/// All warnings, in the order of the file.
pub(crate) fn warnings(settings: &Settings) -> Vec<Warning> {
    let mut warnings: Vec<_> = judging(settings)
        .chain(sockets(settings))
        .chain(questions(settings))
        .chain(networks(settings))
        .chain(failures(settings))
        .chain(reports(settings))
        .collect();
    warnings.sort_by_key(|warning| warning.place);
    warnings
}

/// The warnings whose condition holds: `warn_if!(settings, dkim.accept_body_length: CONDITION => CONCERN; ...)`.
macro_rules! warn_if {
    ($settings:ident, $($($key:ident).+: $holds:expr => $concern:expr;)+) => {
        [$(($holds).then(|| warning($settings, key!($($key).+), $concern))),+].into_iter().flatten()
    };
}

fn judging(settings: &Settings) -> impl Iterator<Item = Warning> {
    let Settings {
        action,
        arc,
        authentication,
        dkim,
        clients,
        ..
    } = settings;
    let enforcing = settings.mode == EnforcementMode::Enforce;
    let sources = [authentication.spf, authentication.dkim, authentication.arc];
    let all_own = sources.iter().all(|source| *source == ResultSource::Own);
    warn_if!(settings,
        action.reject: action.reject == RejectRule::Always => Concern::BeyondTheRfc;
        action.unusable_author: enforcing && action.unusable_author == UnusableAuthor::Accept =>
            Concern::AuthorLoophole;
        clients.skip_author_domains: enforcing && !clients.skip_author_domains.is_empty() =>
            Concern::AnybodysAuthor;
        dkim.accept_body_length: dkim.accept_body_length => Concern::UnsignedEnd;
        dkim.min_rsa_bits: dkim.min_rsa_bits > COMMON_RSA_BITS => Concern::FewRsaKeys;
        arc.trusted_sealers: arc.validate == ArcUse::Never && !arc.trusted_sealers.is_empty() =>
            Concern::SealersUnused;
        authentication.trusted_authserv_ids: !authentication.trusted_authserv_ids.is_empty() && all_own =>
            Concern::UpstreamUnused("spf, dkim and arc are");
        authentication.received_spf: authentication.received_spf && authentication.spf == ResultSource::Own =>
            Concern::UpstreamUnused("spf is");
    )
}

fn sockets(settings: &Settings) -> impl Iterator<Item = Warning> {
    let Settings {
        milter,
        check_api,
        exim,
        ..
    } = settings;
    warn_if!(settings,
        milter.socket_mode: milter.socket_mode.is_world_writable() => Concern::WorldWritableSocket;
        check_api.socket_mode: check_api.socket_mode.is_world_writable() && !check_api.listen.is_empty() =>
            Concern::WorldWritableSocket;
        exim.socket_mode: exim.socket_mode.is_world_writable() && !exim.listen.is_empty() =>
            Concern::WorldWritableSocket;
    )
}

/// A fifth of the questions is for keys, two fifths are for policies; the rest is for SPF and ARC.
fn questions(settings: &Settings) -> Option<Warning> {
    let signatures = settings.dkim.max_signatures;
    let needed = (5 * signatures).max(POLICY_QUESTIONS * 5 / 2);
    let keys = [key!(dkim.max_signatures), key!(dns.questions_per_message)];
    let written = keys.into_iter().find(|key| settings.written.place(key).is_some());
    let key = written.filter(|_| settings.dns.questions_per_message < needed)?;
    Some(warning(
        settings,
        key,
        Concern::FewQuestions { signatures, needed },
    ))
}

fn networks(settings: &Settings) -> Vec<Warning> {
    let lists = [
        (
            key!(clients.trusted_networks),
            &settings.clients.trusted_networks,
            "no client of that family is judged",
        ),
        (
            key!(clients.trusted_relays_keep_results),
            &settings.clients.trusted_relays_keep_results,
            "anybody's Authentication-Results are believed",
        ),
        (
            key!(action.trusted_forwarders),
            &settings.action.trusted_forwarders,
            "every client counts as a forwarder",
        ),
    ];
    let mut warnings = Vec::new();
    for (key, list, effect) in lists {
        for (item, network) in list
            .iter()
            .enumerate()
            .filter(|(_, network)| network.is_everything())
        {
            warnings.push(Warning {
                place: settings.written.item_place(key, item),
                key: key.to_owned(),
                concern: Concern::Everybody(*network, effect),
            });
        }
    }
    warnings
}

fn failures(settings: &Settings) -> impl Iterator<Item = Warning> {
    let failures = &settings.failures;
    let closes = |code| code == CLOSING_CHANNEL;
    warn_if!(settings,
        failures.dns.code: closes(failures.dns.code) => Concern::ClosesConnection;
        failures.dns_with_policy.code: closes(failures.dns_with_policy.code) => Concern::ClosesConnection;
        failures.unusable_record.code: closes(failures.unusable_record.code) => Concern::ClosesConnection;
        failures.budget.code: closes(failures.budget.code) => Concern::ClosesConnection;
        failures.internal.code: closes(failures.internal.code) => Concern::ClosesConnection;
    )
}

fn reports(settings: &Settings) -> Vec<Warning> {
    let report = &settings.report;
    let Some(email) = &report.email else {
        let useless = report.failure.enabled.then_some(key!(report.failure.enabled));
        return useless
            .map(|key| warning(settings, key, Concern::NothingReported))
            .into_iter()
            .collect();
    };
    let is_sent = report.delivery.by != DeliveryBy::Directory;
    let unsigned = (is_sent && report.dkim_keys.is_empty())
        .then(|| warning(settings, key!(report.email), Concern::UnsignedReports));
    let author = email.domain();
    let foreign = report.dkim_domain.as_ref().filter(|signing| {
        !report.dkim_keys.is_empty() && !signing.is_at_or_below(author) && !author.is_at_or_below(signing)
    });
    let foreign = foreign.map(|signing| {
        let concern = Concern::ForeignSignature {
            signing: signing.clone(),
            author: author.clone(),
        };
        warning(settings, key!(report.dkim_domain), concern)
    });
    unsigned.into_iter().chain(foreign).collect()
}

fn warning(settings: &Settings, key: &str, concern: Concern) -> Warning {
    Warning {
        place: settings.written.place(key),
        key: key.to_owned(),
        concern,
    }
}
