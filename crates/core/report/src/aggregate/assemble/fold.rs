//! What a row says less of where there are too many rows: one dimension after the other, so that what a client
//! makes up for each message costs detail, and no message and no source of others.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use landmarc_dmarc::Suffixes;
use landmarc_mail::network::prefix;
use landmarc_mail::{ClientNetwork, DomainName};

use super::placed::Placed;
use crate::aggregate::model::RowKey;
use crate::aggregate::words::AlignmentResult;

/// More rows than a day may have, made fewer that say less. All their messages are counted, but for those left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedRows {
    /// How many rows there were.
    pub before: usize,
    /// How many there are.
    pub after: usize,
    /// What the folded ones say less of, in words.
    pub detail: String,
}

impl fmt::Display for FoldedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            before,
            after,
            detail,
        } = self;
        write!(
            f,
            "{before} rows are folded into {after}, those with the fewest messages with {detail}"
        )
    }
}

/// How far rows are folded. Each step takes away what is free for a client, in addition to those before it: what
/// costs him least goes first, the address last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fold {
    /// The first DKIM result alone.
    FirstSignature,
    /// No DKIM result but an aligned one.
    AlignedSignature,
    /// MAIL FROM by its Organizational Domain.
    MailFromOrganization,
    /// No MAIL FROM, and no domain of the recipients.
    NoMailFrom,
    /// Reasons without their comments.
    NoComments,
    /// The policy domain in place of the Author Domain below it.
    PolicyDomain,
    /// One address for its network: IPv4 /24, IPv6 /48.
    Network,
    /// One address for IPv4 /16, IPv6 /32: an address block of one provider.
    WiderNetwork,
    /// One address for IPv4 /8, IPv6 /16. There are no more than some hundred of these.
    WidestNetwork,
}

impl Fold {
    pub(super) const ALL: [Self; 9] = [
        Self::FirstSignature,
        Self::AlignedSignature,
        Self::MailFromOrganization,
        Self::NoMailFrom,
        Self::NoComments,
        Self::PolicyDomain,
        Self::Network,
        Self::WiderNetwork,
        Self::WidestNetwork,
    ];

    /// Takes this step with all of these rows.
    pub(super) fn apply(self, rows: &mut [Placed], names: ReportNames<'_>) {
        if self >= Self::Network {
            return one_address_each(rows, |address| self.network(address));
        }
        for Placed { row, .. } in rows {
            self.thin(&mut row.key, names);
        }
    }

    fn thin(self, key: &mut RowKey, names: ReportNames<'_>) {
        match self {
            Self::FirstSignature => key.dkim.truncate(1),
            Self::AlignedSignature => {
                // The first is an aligned pass when there is one.
                let is_aligned = key.dkim_alignment == AlignmentResult::Pass.into();
                key.dkim.truncate(usize::from(is_aligned));
            }
            Self::MailFromOrganization => {
                let of_spf = key.spf.iter_mut().map(|spf| &mut spf.domain);
                for domain in key.envelope_from.iter_mut().chain(of_spf) {
                    names.organization(domain);
                }
            }
            Self::NoMailFrom => {
                (key.envelope_from, key.envelope_to) = (None, None);
                // An aligned one is the owner's.
                if key.spf_alignment != AlignmentResult::Pass.into() {
                    key.spf.clear();
                }
            }
            Self::NoComments => key.reasons.iter_mut().for_each(|reason| reason.comment = None),
            Self::PolicyDomain => names.policy_domain.as_str().clone_into(&mut key.header_from),
            Self::Network | Self::WiderNetwork | Self::WidestNetwork => {}
        }
    }

    fn network(self, address: IpAddr) -> IpAddr {
        match self {
            Self::WiderNetwork => prefix(address, 16, 32),
            Self::WidestNetwork => prefix(address, 8, 16),
            _ => ClientNetwork::of(address).address(),
        }
    }

    /// What the rows that went as far say less of, in words.
    pub(super) fn in_words(self) -> String {
        let mut words = vec![match self {
            Self::FirstSignature => "one DKIM result each",
            _ => "no DKIM result but an aligned one",
        }];
        match self {
            Self::FirstSignature | Self::AlignedSignature => {}
            Self::MailFromOrganization => words.push("MAIL FROM by its Organizational Domain"),
            _ => words.push("no MAIL FROM"),
        }
        if self >= Self::NoComments {
            words.push("reasons without comments");
        }
        if self >= Self::PolicyDomain {
            words.push("the policy domain as header_from");
        }
        match self {
            Self::Network => words.push("the lowest address of a network (IPv4 /24, IPv6 /48) for all of it"),
            Self::WiderNetwork => {
                words.push("the lowest address of a network (IPv4 /16, IPv6 /32) for all of it");
            }
            Self::WidestNetwork => {
                words.push("the lowest address of a network (IPv4 /8, IPv6 /16) for all of it");
            }
            _ => {}
        }
        words.join(", ")
    }
}

/// Whose names the rows have.
#[derive(Clone, Copy)]
pub(super) struct ReportNames<'a> {
    pub(super) policy_domain: &'a DomainName,
    pub(super) suffixes: &'a Suffixes,
}

impl ReportNames<'_> {
    /// Puts the organization in place of a name; one without stays, and so does a null reverse-path.
    fn organization(self, name: &mut String) {
        let parsed = DomainName::parse(name).ok();
        if let Some(organization) = parsed.and_then(|name| self.suffixes.registrable(&name)) {
            organization.as_str().clone_into(name);
        }
    }
}

/// Puts the lowest address of each network in place of all of it. A source that is alone in its network keeps its
/// address.
fn one_address_each(rows: &mut [Placed], network: impl Fn(IpAddr) -> IpAddr) {
    let mut lowest = HashMap::new();
    for Placed { row, .. } in rows.iter() {
        let address = row.key.source_ip;
        let known = lowest.entry(network(address)).or_insert(address);
        *known = address.min(*known);
    }
    for Placed { row, .. } in rows {
        if let Some(address) = lowest.get(&network(row.key.source_ip)) {
            row.key.source_ip = *address;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_names_what_its_rows_say_less_of() {
        let steps = Fold::ALL.map(|fold| format!("{fold:?}: {}", fold.in_words()));
        insta::assert_snapshot!(steps.join("\n"), @"
        FirstSignature: one DKIM result each
        AlignedSignature: no DKIM result but an aligned one
        MailFromOrganization: no DKIM result but an aligned one, MAIL FROM by its Organizational Domain
        NoMailFrom: no DKIM result but an aligned one, no MAIL FROM
        NoComments: no DKIM result but an aligned one, no MAIL FROM, reasons without comments
        PolicyDomain: no DKIM result but an aligned one, no MAIL FROM, reasons without comments, the policy domain as header_from
        Network: no DKIM result but an aligned one, no MAIL FROM, reasons without comments, the policy domain as header_from, the lowest address of a network (IPv4 /24, IPv6 /48) for all of it
        WiderNetwork: no DKIM result but an aligned one, no MAIL FROM, reasons without comments, the policy domain as header_from, the lowest address of a network (IPv4 /16, IPv6 /32) for all of it
        WidestNetwork: no DKIM result but an aligned one, no MAIL FROM, reasons without comments, the policy domain as header_from, the lowest address of a network (IPv4 /8, IPv6 /16) for all of it
        ");
    }

    #[test]
    fn each_step_for_networks_makes_them_wider() {
        let steps = [Fold::Network, Fold::WiderNetwork, Fold::WidestNetwork];
        for (address, networks) in [
            ("198.51.100.9", ["198.51.100.0", "198.51.0.0", "198.0.0.0"]),
            ("2001:db8:1:2::9", ["2001:db8:1::", "2001:db8::", "2001::"]),
        ] {
            let found = steps.map(|step| step.network(address.parse().unwrap()).to_string());
            assert_eq!(found, networks);
        }
    }
}
