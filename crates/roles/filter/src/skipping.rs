//! Which messages are not judged (decision D7).

use std::net::IpAddr;

use landmarc_mail::author::Author;
use landmarc_mail::{DomainName, ReversePath};
use landmarc_milter::Macros;
use landmarc_receiver::rule::{NamePattern, RecipientPattern, is_among};
use landmarc_settings::IpNetwork;
use landmarc_settings::hosts::Hosts;
use landmarc_settings::keys::Clients;

/// Why a message is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// The client is in `clients.trusted_networks`.
    TrustedNetwork,
    /// The client has one of `clients.trusted_names`.
    TrustedName,
    /// A program on the mail server's own host.
    LocalProgram,
    /// A user who has signed in.
    Authenticated,
    /// The Author Domain is in `clients.skip_author_domains`.
    AuthorDomain,
    /// All recipients are in `clients.skip_recipients`.
    Recipient,
}

impl Skipped {
    /// Every reason.
    pub(crate) const ALL: [Self; 6] = [
        Self::TrustedNetwork,
        Self::TrustedName,
        Self::LocalProgram,
        Self::Authenticated,
        Self::AuthorDomain,
        Self::Recipient,
    ];

    /// The word of logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrustedNetwork => "trusted_network",
            Self::TrustedName => "trusted_name",
            Self::LocalProgram => "local_program",
            Self::Authenticated => "authenticated",
            Self::AuthorDomain => "author_domain",
            Self::Recipient => "recipient",
        }
    }
}

/// The operator's lists of what is not judged.
pub struct Lists {
    networks: Vec<IpNetwork>,
    names: Vec<NamePattern>,
    except: Vec<IpNetwork>,
    hosts: Hosts,
    author_domains: Vec<NamePattern>,
    recipients: Vec<RecipientPattern>,
}

impl Lists {
    /// `hosts` are those of `clients.trusted_hosts_file`.
    pub fn new(clients: &Clients, hosts: Hosts) -> Self {
        Self {
            hosts,
            networks: clients.trusted_networks.clone(),
            names: clients.trusted_names.clone(),
            except: clients.trusted_networks_except.clone(),
            author_domains: clients.skip_author_domains.clone(),
            recipients: clients.skip_recipients.clone(),
        }
    }

    /// Whether a client is one of ours; `host_name` is the one that was verified.
    pub fn of_client(&self, client: IpAddr, host_name: Option<&str>) -> Option<Skipped> {
        let is_in = |networks: &[IpNetwork]| networks.iter().any(|network| network.contains(client));
        if is_in(&self.except) {
            return None;
        }
        if is_in(&self.networks) || self.hosts.have_address(client) {
            return Some(Skipped::TrustedNetwork);
        }
        let asks_for_names = !self.names.is_empty() || self.hosts.have_names();
        let host_name = DomainName::parse(host_name.filter(|_| asks_for_names)?).ok()?;
        let is_ours = self.names.iter().any(|pattern| pattern.matches(&host_name));
        (is_ours || self.hosts.have_name(&host_name)).then_some(Skipped::TrustedName)
    }

    /// Whether mail to this recipient alone is not judged.
    pub fn have_recipient(&self, path: &ReversePath) -> bool {
        is_among(&self.recipients, path.as_bytes())
    }

    /// Whether mail of this author is not judged: of several domains each must be listed, lest a
    /// second one be carried past its own policy.
    pub fn of_author(&self, author: &Author) -> Option<Skipped> {
        let is_listed =
            |domain: &DomainName| self.author_domains.iter().any(|pattern| pattern.matches(domain));
        let domains = author.domains();
        (!domains.is_empty() && domains.iter().all(is_listed)).then_some(Skipped::AuthorDomain)
    }
}

/// The host name of the client, if the MTA has verified it. Postfix passes on no other.
pub(super) fn verified_name(host_name: &[u8], macros: &Macros) -> Option<String> {
    // Sendmail does, and tells here what it found: OK, FAIL, FORGED or TEMP.
    let is_doubtful = macros.text("client_resolve").is_some_and(|found| found != "OK")
        || macros
            .text("_")
            .is_some_and(|client| client.ends_with("(may be forged)"));
    // What Postfix says where it has none.
    let is_name = !is_doubtful && host_name != b"unknown";
    String::from_utf8(host_name.to_vec()).ok().filter(|_| is_name)
}

#[cfg(test)]
mod tests {
    use landmarc_mail::message::{HeaderField, HeaderLimits, HeaderSection};

    use super::*;

    fn lists(text: &str) -> Lists {
        let text = format!("[clients]\n{text}\n");
        Lists::new(
            &landmarc_settings::read(&text).unwrap().0.clients,
            Hosts::default(),
        )
    }

    /// P17: names, addresses and networks, and what is left out of them.
    #[test]
    fn p17_clients_are_ours_by_address_or_name_unless_they_are_excepted() {
        let lists = lists(
            "trusted_networks = [\"192.0.2.0/24\", \"2001:db8::/32\"]\n\
             trusted_names = [\"mx.example\", \"*.out.example\"]\n\
             trusted_networks_except = [\"192.0.2.7\", \"203.0.113.9\"]",
        );
        let (network, name) = (Some(Skipped::TrustedNetwork), Some(Skipped::TrustedName));
        for (client, host_name, expected) in [
            ("192.0.2.1", None, network),
            ("2001:db8::1", None, network),
            ("192.0.2.7", None, None),
            ("::ffff:192.0.2.7", Some("mx.example"), None),
            ("203.0.113.8", Some("mx.example"), name),
            ("203.0.113.8", Some("MX.Example."), name),
            ("203.0.113.8", Some("a.b.out.example"), name),
            ("203.0.113.8", Some("out.example"), None),
            ("203.0.113.8", Some("a.mx.example"), None),
            ("203.0.113.9", Some("mx.example"), None),
            ("203.0.113.8", Some("[203.0.113.8]"), None),
            ("203.0.113.8", None, None),
        ] {
            let found = lists.of_client(client.parse().unwrap(), host_name);
            assert_eq!(found, expected, "{client} {host_name:?}");
        }
    }

    /// P17, O6: the file of the seed adds to the lists, and what is excepted stays so.
    #[test]
    fn p17_o6_the_file_of_hosts_adds_to_the_lists() {
        let text = "[clients]\ntrusted_networks_except = [\"192.0.2.7\"]\n";
        let hosts =
            Hosts::read(b"# ours\nlocalhost\nvml000080.dmz.example\n.out.example\n192.0.2.0/24\n").unwrap();
        let lists = Lists::new(&landmarc_settings::read(text).unwrap().0.clients, hosts);
        let (network, name) = (Some(Skipped::TrustedNetwork), Some(Skipped::TrustedName));
        for (client, host_name, expected) in [
            ("127.0.0.1", None, network),
            ("192.0.2.1", None, network),
            ("192.0.2.7", Some("localhost"), None),
            ("203.0.113.8", Some("localhost"), name),
            ("203.0.113.8", Some("VML000080.dmz.example"), name),
            ("203.0.113.8", Some("a.out.example"), name),
            ("203.0.113.8", Some("out.example"), None),
            ("203.0.113.8", None, None),
        ] {
            let found = lists.of_client(client.parse().unwrap(), host_name);
            assert_eq!(found, expected, "{client} {host_name:?}");
        }
    }

    #[test]
    fn without_lists_only_this_host_is_ours() {
        let lists = lists("");
        let of = |client: &str| lists.of_client(client.parse().unwrap(), Some("localhost"));
        assert_eq!(of("127.0.0.1"), Some(Skipped::TrustedNetwork));
        assert_eq!(of("::1"), Some(Skipped::TrustedNetwork));
        assert_eq!(of("192.0.2.7"), None);
        assert!(!lists.have_recipient(&ReversePath::new(b"<a@example.com>")));
        assert_eq!(lists.of_author(&author_of("a@example.com")), None);
    }

    fn author_of(from: &str) -> Author {
        let mut headers = HeaderSection::default();
        let field = HeaderField::from_milter(b"From", format!(" {from}").as_bytes());
        headers.push(field, &HeaderLimits::default());
        landmarc_mail::author::author(&headers)
    }

    /// P18: and a second domain in the field is not carried along.
    #[test]
    fn p18_an_author_is_listed_with_all_of_its_domains() {
        let lists = lists("skip_author_domains = [\"example.com\", \"*.example.net\"]");
        for (from, expected) in [
            ("a@Example.COM", true),
            ("a@a.example.net", true),
            ("a@example.net", false),
            ("a@sub.example.com", false),
            ("a@example.com, b@b.example.net", true),
            ("a@example.com, b@victim.example", false),
            ("nobody", false),
            ("a@example.com <b@victim.example", false),
        ] {
            let found = lists.of_author(&author_of(from));
            assert_eq!(found, expected.then_some(Skipped::AuthorDomain), "{from}");
        }
    }

    /// P41
    #[test]
    fn p41_a_recipient_is_listed_by_address_or_domain() {
        let lists = lists("skip_recipients = [\"Abuse@example.com\", \"*.example.net\"]");
        for (path, expected) in [
            ("<abuse@EXAMPLE.com>", true),
            ("<a@example.com>", false),
            ("<a@a.example.net>", true),
            ("<a@example.net>", false),
            ("<>", false),
        ] {
            let found = lists.have_recipient(&ReversePath::new(path.as_bytes()));
            assert_eq!(found, expected, "{path}");
        }
    }

    /// A name from the reverse zone alone is its owner's to choose.
    #[test]
    fn a_name_that_the_mta_doubts_is_none() {
        let name = |macros: &[(&'static str, &str)]| {
            verified_name(b"mx.example", &macros.iter().copied().collect::<Macros>())
        };
        let verified = Some("mx.example".to_owned());
        assert_eq!(name(&[]), verified);
        assert_eq!(
            name(&[("client_resolve", "OK"), ("_", "mx.example [192.0.2.1]")]),
            verified
        );
        for doubtful in ["FORGED", "FAIL", "TEMP"] {
            assert_eq!(name(&[("client_resolve", doubtful)]), None, "{doubtful}");
        }
        assert_eq!(name(&[("_", "mx.example [192.0.2.1] (may be forged)")]), None);
        assert_eq!(verified_name(b"unknown", &Macros::default()), None);
        assert_eq!(verified_name(b"m\xff", &Macros::default()), None);
    }
}
