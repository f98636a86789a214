//! The tables of what is done: to failing messages, to special clients, after failures of ours.

use std::path::PathBuf;

use landmarc_mail::DomainName;
use landmarc_receiver::policy::{RejectRule, UnusableAuthor};
use landmarc_receiver::rule::{NamePattern, RecipientPattern};

use crate::IpNetwork;
use crate::value::address::MailAddress;
use crate::value::fixed;
use crate::value::reply::{PermanentStatus, ReplyText, TransientStatus};
use crate::value::text::FieldName;

table! {
    /// What is done to a message that fails.
    pub struct ActionTable {
        keys {
            /// When a failing message is refused, if its domain asks for that (p=reject).
            reject: RejectRule = RejectRule::Evidence, reloads since "0.1.0";

            /// The reply code of a refusal (RFC 5321 §4.2.1).
            reject_code: u16 = 550, [550..=554], reloads since "0.1.0";

            /// The enhanced status code of a refusal. The example in RFC 9989 has 5.7.1; 5.7.26 (RFC 7372)
            /// is in wide use too.
            reject_enhanced: PermanentStatus = fixed("5.7.1"), reloads since "0.1.0";

            /// What the sender's mail server is told with a refusal. {author_domain}, {policy_domain}
            /// (where the policy was found), {reason}, {client} (its address) and {id} (what the log
            /// calls the message) are filled in, here and in the other texts.
            reject_text: ReplyText =
                fixed("Email rejected per DMARC policy for {author_domain}: {reason} ({id})"),
                reloads since "0.1.0";

            /// How a failing message is quarantined, if its domain asks for that, or for a refusal
            /// that there is not evidence enough for. A mail server never expires what it holds, and tells
            /// neither sender nor recipient: choose "hold" only where somebody looks at its queue daily.
            quarantine: Quarantine = Quarantine::Header, reloads since "0.1.0";

            /// The header field that marks a quarantined message, where that is how it is done. A
            /// field of this name that comes from outside is removed.
            quarantine_header: FieldName = fixed("DMARC-Quarantine"), reloads since "0.1.0";

            /// What that header field says, or what the mail server is told when it is to hold the message.
            quarantine_text: ReplyText = fixed("quarantined by DMARC policy for {author_domain}: {reason}"),
                reloads since "0.1.0";

            /// The address that is added to the recipients of a message that fails DMARC and is not
            /// refused although its domain asks for quarantine or reject, so that a human can look at it:
            /// because mode is "observe", because it is only quarantined, or because a rule or a sign of
            /// forwarding speaks for it. Whoever reads that mailbox reads other people's mail. Not added
            /// to messages that are not judged, nor where it is a recipient already. Where the mail server
            /// holds the message, it holds the copy with it. Empty: nobody.
            copy_to: Option<MailAddress> = None, reloads since "0.1.0";

            /// What is done to a message whose Author Domain cannot be told, because it has several From
            /// fields, one that is malformed or names more domains than anybody writes, or a header
            /// section that ends at a line that is no header field. A message that shows no domain at
            /// all has none to deceive with, and is accepted either way.
            unusable_author: UnusableAuthor = UnusableAuthor::Refuse, reloads since "0.1.0";

            /// What the sender's mail server is told with such a refusal.
            unusable_author_text: ReplyText =
                fixed("Email rejected: {reason} ({id})"),
                reloads since "0.1.0";

            /// Whether a message is refused that lacks header fields RFC 5322 §3.6 asks for, or has too many of
            /// them: exactly one From, which names a domain, and one Date; at most one of Sender, Reply-To, To,
            /// Cc, Bcc, Message-ID, In-Reply-To, References and Subject. The text is that above. DMARC needs
            /// none of this, and honest programs break it.
            required_header_fields: bool = false, reloads since "0.1.0";

            /// Whether the signs of a mailing list (List-Id, and a signature of the list) speak against
            /// refusing a message.
            mailing_lists: bool = true, reloads since "0.1.0";

            /// Whether what the records of the last days show is evidence: that a domain signs everything it
            /// sends, so that a failing message without a signature of it is forged; that all that comes from
            /// the network of the client is. docs/operating.md tells what is counted. Nothing is evidence while
            /// the records are younger than two weeks, or cannot be read.
            evidence_from_records: bool = true, reloads since "0.1.0";

            /// The domains whose mail this system sends, with all names below them. A failing message
            /// that claims to be from one, and comes from outside, is evidence for a refusal.
            local_domains: Vec<DomainName> = Vec::new(), reloads since "0.1.0";

            /// The networks of forwarders, which break SPF in all honesty. A message that comes from
            /// one is not refused.
            trusted_forwarders: Vec<IpNetwork> = Vec::new(), reloads since "0.1.0";

            /// The file of this server's own rules about single senders, lists and recipients, which
            /// come before everything above; docs/rules.md tells how they are written. Where this is
            /// empty, or at its default and the file does not exist, there are none.
            rules_file: Option<PathBuf> = Some(PathBuf::from("/etc/landmarc/rules.toml")),
                reloads since "0.1.0";
        }
    }
}

choices! {
    for RejectRule {
        /// when something beside the policy speaks for it (RFC 9989 §7.4); otherwise it is quarantined.
        Evidence = "evidence",
        /// on the policy alone. This goes beyond the RFC.
        Always = "always",
        /// never; it is quarantined.
        Never = "never",
    }
}

choices! {
    /// How a message is quarantined.
    pub enum Quarantine {
        /// delivered with a header field that Sieve, SpamAssassin or the mail server can sort it by.
        Header = "header",
        /// kept in the hold queue of the mail server until a person releases or deletes it.
        Hold = "hold",
    }
}

choices! {
    for UnusableAuthor {
        /// refused: RFC 5322 §3.6 wants one From field, and DMARC would be a choice otherwise.
        Refuse = "refuse",
        /// accepted, and recorded as permerror.
        Accept = "accept",
    }
}

table! {
    /// Clients that are treated apart from the rest of the world.
    pub struct Clients {
        keys {
            /// The networks whose messages are not judged: this host, and the systems that send their
            /// mail through it.
            trusted_networks: Vec<IpNetwork> = vec![fixed("127.0.0.0/8"), fixed("::1/128")],
                reloads since "0.1.0";

            /// The host names of more such systems: "mx.example.com", or "*.example.com" for all names
            /// below that. Only a name counts that the mail server has verified: of the address, and with
            /// that address in turn.
            trusted_names: Vec<NamePattern> = Vec::new(), reloads since "0.1.0";

            /// The networks of clients that are judged all the same, though one of the two lists above
            /// has them.
            trusted_networks_except: Vec<IpNetwork> = Vec::new(), reloads since "0.1.0";

            /// A file of more such systems, one on a line, with "#" before remarks: addresses, networks as
            /// 192.0.2.0/24 or 192.0.2.0/255.255.255.0, host names, and ".example.com" for all names below
            /// that; "!" before one that is judged all the same. Of several that fit the most exact one
            /// counts. It is read again with the settings. Empty: none.
            trusted_hosts_file: Option<PathBuf> = None, reloads since "0.1.0";

            /// Whether the messages of users who have signed in are not judged.
            skip_authenticated: bool = true, reloads since "0.1.0";

            /// The Author Domains whose messages are not judged: "example.com", or "*.example.com" for
            /// all domains below that. Of several, all must be here. Anybody can write such a From field,
            /// and is let in by this: prefer a rule that accepts, and that names the client or the
            /// signature as well. Results in our name are removed from these messages all the same.
            skip_author_domains: Vec<NamePattern> = Vec::new(), reloads since "0.1.0";

            /// The recipients whose messages are not judged: "abuse@example.com", "example.com" or
            /// "*.example.com". A message is judged if one of its recipients is not here. Results in our
            /// name are removed from these messages all the same.
            skip_recipients: Vec<RecipientPattern> = Vec::new(), reloads since "0.1.0";

            /// The networks of relays of our own that judge messages under our name before we do: the
            /// Authentication-Results they bring are kept.
            trusted_relays_keep_results: Vec<IpNetwork> = Vec::new(), reloads since "0.1.0";

            /// Whether all Authentication-Results from outside are removed, and not only those
            /// that bear our name (RFC 8601 §5).
            remove_all_results: bool = false, reloads since "0.1.0";
        }
    }
}

table! {
    /// What is done to a message that could not be judged, by cause.
    pub struct Failures {
        keys {}
        tables {
            /// DNS did not answer, or said that it could not, and no policy is known: often the name server
            /// of this host is away.
            dns: FailureResponse;
            /// DNS did not answer, and the Author Domain or one above it has a policy of quarantine or
            /// reject. What was looked up in vain was named by the message: a key, or a name below. Accepted,
            /// a forger would only have to name one that does not answer.
            dns_with_policy: FailureResponse = FailureResponse::deferred();
            /// The DMARC Policy Record is there, but nobody can tell what it asks for.
            unusable_record: FailureResponse;
            /// A limit is reached: the message has no questions, time or memory left, or too many queries
            /// of its client's network are under way ("dns.questions_in_flight"). A sender can bring that about.
            budget: FailureResponse = FailureResponse::deferred();
            /// The database does not take what is to be written down. The message is written down from
            /// memory as soon as it can be, so that nothing is lost by accepting it.
            store: FailureResponse;
            /// A mistake of ours: this one session went wrong, and the log has an error.
            internal: FailureResponse;
        }
    }
}

table! {
    /// What is done to a message for one cause of failure.
    pub struct FailureResponse {
        keys {
            /// What is done.
            action: FailureAction = FailureAction::Accept, reloads since "0.1.0";

            /// The reply code of a tempfail (RFC 5321 §4.2.1).
            code: u16 = 451, [400..=459], reloads since "0.1.0";

            /// The enhanced status code of a tempfail (RFC 3463).
            enhanced: TransientStatus = fixed("4.7.1"), reloads since "0.1.0";

            /// The text of a tempfail. {author_domain}, {policy_domain}, {reason}, {client} and {id} are
            /// filled in.
            text: ReplyText = fixed("the message could not be checked, try again later ({id})"),
                reloads since "0.1.0";
        }
    }
}

impl FailureResponse {
    /// The default for a cause that a sender can bring about: its mail is deferred.
    fn deferred() -> Self {
        Self {
            action: FailureAction::Tempfail,
            ..Self::default()
        }
    }
}

choices! {
    /// What is done to a message that could not be judged.
    pub enum FailureAction {
        /// accepted; Authentication-Results says that it was not judged.
        Accept = "accept",
        /// deferred with a temporary reply, so that its sender tries again for some days.
        Tempfail = "tempfail",
    }
}
