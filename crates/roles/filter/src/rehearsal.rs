//! Messages judged without a mail server and without a record: `check`, `rules test`, `opendmarc -t`.

use landmarc_auth::lookup::Lookup;
use landmarc_dns::resolver::Asker;
use landmarc_mail::message::Parsed;
use landmarc_mail::{ClientNetwork, Envelope};
use landmarc_milter::{Edit, Response};
use landmarc_receiver::policy::Rules;
use landmarc_receiver::seen::Seen;
use landmarc_receiver::{Arrival, Head, Judgement, Ledgers, Transaction, judge, spf_of};
use landmarc_runtime::rules::client_facts;
use landmarc_settings::Settings;

use super::answer;

/// The answer to a mail server that lets filters do everything, and calls the message `queue_id`.
pub fn rehearse(judgement: &Judgement, settings: &Settings, authserv_id: &str, queue_id: &str) -> Response {
    let mut response = answer::response(judgement);
    if settings.software_header {
        response.edits.push(answer::software(authserv_id, queue_id));
    }
    if let Some(address) = &settings.action.copy_to
        && judgement.is_taken_against_policy()
    {
        response.edits.push(Edit::AddRcpt(address.to_string()));
    }
    response
}

/// What comes with a message beside its octets.
pub struct MessageContext<'a> {
    /// The SMTP envelope.
    pub envelope: Envelope,
    /// Our id of the message.
    pub id: &'a str,
    /// The id of the mail server.
    pub queue_id: Option<&'a str>,
    /// When it is judged, in Unix time.
    pub now: u64,
    /// What the mail of the last days shows.
    pub seen: &'a Seen,
}

/// Judges a message as the service would, and records nothing. `lookup` answers the questions of one kind.
pub async fn judge_parsed<L: Lookup>(
    parsed: &Parsed<'_>,
    context: MessageContext<'_>,
    rules: &Rules,
    settings: &Settings,
    lookup: impl Fn(Asker) -> L,
) -> Judgement {
    let MessageContext {
        envelope,
        id,
        queue_id,
        now,
        seen,
    } = context;
    let network = envelope.client.map(ClientNetwork::of);
    let ledgers = Ledgers::new(settings.dns.questions_per_message, |purpose| {
        lookup(Asker {
            purpose,
            client: network,
        })
    });
    let client = client_facts(settings, envelope.client);
    let arrival = Arrival {
        client,
        queue_id,
        ..Arrival::of(&envelope, now)
    };
    let mut head = Head::new(&parsed.header, rules, &arrival);
    let spf = spf_of(&head, &ledgers, &envelope, rules).await;
    head.plan().ask(&ledgers).await;
    head.body(&parsed.body);
    let transaction = Transaction {
        envelope,
        client,
        id,
        queue_id,
        seen,
    };
    judge(head, transaction, spf, &ledgers, rules).await
}
