//! SPF of one message: checked at its envelope, or stated by a filter ahead of us.

use futures_util::future::join;
use landmarc_auth::lookup::Lookup;
use landmarc_auth::spf::{self, Scope, SpfOutcome, SpfRequest, SpfResult};
use landmarc_mail::Envelope;

use crate::ledgers::Ledgers;
use crate::policy::Rules;

/// The SPF results of one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfPair {
    /// Of the MAIL FROM identity: the one DMARC uses.
    pub mail_from: SpfOutcome,
    /// Of HELO, when that is checked and is not the same identity.
    pub helo: Option<SpfOutcome>,
}

/// Checks SPF; everything it needs is known at MAIL FROM.
///
/// `now` is Unix time in seconds. Of a client without address, as on a local socket,
/// nothing is asked, and the result is *none*: that we do not know where a message comes
/// from must not read as if its domain forbade it.
pub async fn check_spf<L: Lookup>(
    ledgers: &Ledgers<L>,
    envelope: &Envelope,
    rules: &Rules,
    now: u64,
) -> SpfPair {
    let Some(client) = envelope.client else {
        return SpfPair {
            mail_from: unchecked(envelope),
            helo: None,
        };
    };
    let request = SpfRequest {
        client,
        helo: &envelope.helo,
        mail_from: &envelope.mail_from,
        receiver: &rules.authserv_id,
        now,
        fetch_explanation: rules.fetch_explanation,
    };
    if !rules.check_helo || envelope.mail_from.is_null() {
        return SpfPair {
            mail_from: spf::check_mail_from(&ledgers.mail_from, &request).await,
            helo: None,
        };
    }
    let both = join(
        spf::check_mail_from(&ledgers.mail_from, &request),
        spf::check_helo(&ledgers.helo, &request),
    );
    let (mail_from, helo) = both.await;
    SpfPair {
        mail_from,
        helo: Some(helo),
    }
}

/// What SPF comes to without a client to ask about.
fn unchecked(envelope: &Envelope) -> SpfOutcome {
    let (domain, from_helo) = (envelope.mail_from.domain(), envelope.mail_from.is_null());
    SpfOutcome {
        problem: Some("the address of the client is not known".to_owned()),
        ..SpfOutcome::unchecked(SpfResult::None, Scope::MailFrom, domain, from_helo)
    }
}
