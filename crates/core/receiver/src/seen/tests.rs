//! Each figure at its threshold and one short of it, and what strangers do to it.

use std::net::IpAddr;

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::{ClientNetwork, DomainName};

use super::*;

const TODAY: u32 = 20_000;
const OWN: &str = "192.0.2.1";
const STRANGER: &str = "203.0.113.9";

/// What is seen, a line of days at a time.
#[derive(Default)]
struct Store {
    history: SeenHistory,
    rows: std::collections::BTreeMap<u32, Vec<Row>>,
}

#[derive(Clone)]
struct Row {
    author: DomainName,
    client: IpAddr,
    count: u64,
    spf: bool,
    dkim: bool,
    signed: bool,
    authenticated: bool,
}

fn row(author: &str, client: &str, count: u64) -> Row {
    Row {
        author: DomainName::parse(author).unwrap(),
        client: client.parse().unwrap(),
        count,
        spf: false,
        dkim: false,
        signed: false,
        authenticated: false,
    }
}

impl Row {
    /// From a host of its owner, signed.
    fn own(self) -> Self {
        self.own_unsigned().replayed()
    }

    /// From a host of its owner, unsigned.
    fn own_unsigned(mut self) -> Self {
        (self.spf, self.authenticated) = (true, true);
        self
    }

    /// Signed by its owner; the client may be anybody.
    fn replayed(mut self) -> Self {
        (self.dkim, self.signed, self.authenticated) = (true, true, true);
        self
    }
}

impl Store {
    /// The same rows on so many days up to yesterday.
    fn days(mut self, days: u32, rows: &[Row]) -> Self {
        for back in 1..=days {
            self.rows.entry(TODAY - back).or_default().extend_from_slice(rows);
        }
        self
    }

    fn seen(self) -> Seen {
        self.read().seen(TODAY)
    }

    /// Whether or not the store is young.
    fn table(self) -> SeenTable {
        self.read().table(TODAY)
    }

    fn read(mut self) -> SeenHistory {
        let suffixes = Suffixes::built_in();
        for (number, rows) in self.rows {
            let known = self.history.table(number - 1);
            let mut day = DayBuilder::new(&known, &suffixes);
            for row in &rows {
                day.add(&Sighting {
                    author: &row.author,
                    client: row.client,
                    count: row.count,
                    spf_aligned: row.spf,
                    dkim_aligned: row.dkim,
                    is_signed: row.signed,
                    is_authenticated: row.authenticated,
                });
            }
            self.history.put(number, day.finish());
        }
        self.history.expire(TODAY);
        self.history
    }

    fn signs_everything(self, author: &str) -> bool {
        let author = DomainName::parse(author).unwrap();
        self.table()
            .signing(&author)
            .is_some_and(|seen| seen.signs_everything())
    }

    fn network(self, client: &str) -> NetworkHistory {
        let network = ClientNetwork::of(client.parse().unwrap());
        self.table().network(network).unwrap_or_default()
    }
}

fn store() -> Store {
    Store::default()
}

#[test]
fn a_domain_signs_everything_from_its_hundredth_message_on_its_seventh_day() {
    let bank = |count| row("bank.example", OWN, count).own();
    assert!(store().days(10, &[bank(10)]).signs_everything("bank.example"));
    assert!(
        !store().days(11, &[bank(9)]).signs_everything("bank.example"),
        "99 messages"
    );
    assert!(store().days(7, &[bank(15)]).signs_everything("bank.example"));
    let six_days = store()
        .days(6, &[bank(1_000)])
        .days(9, &[row("other.example", OWN, 1).own()]);
    assert!(!six_days.signs_everything("bank.example"));
    // A name below it is another Author Domain.
    assert!(
        !store()
            .days(10, &[bank(10)])
            .signs_everything("shop.bank.example")
    );
}

#[test]
fn one_unsigned_message_of_two_hundred_is_forgiven_and_one_of_199_is_not() {
    let signed = |count| row("bank.example", OWN, count).own();
    let unsigned = row("bank.example", OWN, 1).own_unsigned();
    for (first_day, expected) in [(190, true), (189, false)] {
        let days = store()
            .days(10, &[signed(1)])
            .days(1, &[signed(first_day - 1), unsigned.clone()]);
        assert_eq!(days.signs_everything("bank.example"), expected, "{first_day}");
    }
}

#[test]
fn strangers_do_not_make_a_domain_sign_everything() {
    let owner = [
        row("bank.example", OWN, 20).own(),
        row("bank.example", OWN, 1).own_unsigned(),
    ];
    assert!(!store().days(30, &owner).signs_everything("bank.example"));
    let replays = row("bank.example", STRANGER, 1_000_000).replayed();
    let spoofs = row("bank.example", STRANGER, 1_000_000);
    let look_alike = row("bank-example.example", STRANGER, 1_000_000).own();
    let attack = [&owner[..], &[replays.clone(), spoofs, look_alike]].concat();
    assert!(!store().days(30, &attack).signs_everything("bank.example"));
    // Of a domain that nothing else is known of.
    assert!(!store().days(30, &[replays]).signs_everything("bank.example"));
}

#[test]
fn strangers_do_not_make_a_domain_one_that_does_not_sign() {
    let owner = row("bank.example", OWN, 20).own();
    let spoofs = row("bank.example", STRANGER, 1_000_000);
    assert!(
        store()
            .days(30, &[owner, spoofs])
            .signs_everything("bank.example")
    );
}

#[test]
fn a_burst_of_one_day_is_no_habit() {
    let burst = store().days(1, &[row("bank.example", OWN, 1_000_000).own()]);
    assert!(
        !burst
            .days(30, &[row("other.example", OWN, 1).own()])
            .signs_everything("bank.example")
    );
}

#[test]
fn days_to_come_and_days_long_past_do_not_count() {
    let mut days = store().days(30, &[row("other.example", OWN, 1).own()]);
    for number in (TODAY - 60..TODAY - 29).chain(TODAY + 1..TODAY + 30) {
        let bank = row("bank.example", OWN, 100).own();
        days.rows.entry(number).or_default().push(bank);
    }
    // The twenty-ninth day before today counts, the thirtieth does not.
    days.rows.remove(&(TODAY - 29));
    assert!(!days.signs_everything("bank.example"));
}

#[test]
fn a_domain_that_stops_signing_signs_everything_no_more() {
    let signed = row("bank.example", OWN, 100).own();
    let unsigned = |count| row("bank.example", OWN, count).own_unsigned();
    let days = |count| {
        store()
            .days(30, std::slice::from_ref(&signed))
            .days(1, &[unsigned(count)])
    };
    assert!(days(5).signs_everything("bank.example"));
    assert!(!days(6).signs_everything("bank.example"));
}

#[test]
fn a_domain_that_passes_by_dkim_alone_signs_everything_when_its_senders_are_shared() {
    let provider = "198.51.100.1";
    let shop = row("shop.example", provider, 50).replayed();
    let days = |customers: &[Row]| store().days(30, &[customers, std::slice::from_ref(&shop)].concat());
    let customers = banks().map(|row| Row {
        client: provider.parse().unwrap(),
        ..row
    });
    assert!(days(&customers).signs_everything("shop.example"));
    assert!(!days(&customers[..4]).signs_everything("shop.example"));
    // Those that send now and then show nothing.
    let rare = customers.clone().map(|row| Row { count: 1, ..row });
    assert!(!days(&rare).signs_everything("shop.example"));
    // Signed mail sent again passes for many, but SPF authorizes nobody to do so.
    let replayed = customers.map(|row| Row { spf: false, ..row });
    let own = banks();
    assert!(!days(&[&own[..], &replayed].concat()).signs_everything("shop.example"));
}

/// Five banks that sign everything.
fn banks() -> [Row; 5] {
    ["a.example", "b.example", "c.example", "d.example", "e.example"].map(|name| row(name, OWN, 20).own())
}

fn forged(row: &Row) -> Row {
    super::tests::row(row.author.as_str(), STRANGER, 3)
}

#[test]
fn a_known_spoofer_forges_five_organizations_that_sign_everything() {
    let forgeries = |count: usize| banks().iter().take(count).map(forged).collect::<Vec<_>>();
    let days = |rows: &[Row]| store().days(10, &banks()).days(2, rows).network(STRANGER);
    assert!(days(&forgeries(5)).is_known_spoofer());
    assert!(!days(&forgeries(4)).is_known_spoofer());
    // Subdomains of one are one.
    let below = ["x.a.example", "y.a.example"].map(|name| row(name, OWN, 20).own());
    let more: Vec<Row> = forgeries(4).into_iter().chain(below.iter().map(forged)).collect();
    let of_one = store()
        .days(10, &[&banks()[..], &below].concat())
        .days(2, &more)
        .network(STRANGER);
    assert_eq!(of_one.forged, 4);
    // What passes of a domain that nobody knows does not help.
    let throw_away = row("throw-away.example", STRANGER, 9).own();
    assert!(days(&[forgeries(5), vec![throw_away]].concat()).is_known_spoofer());
    // A single message of a known sender, or that may be genuine, ends it.
    let passing = row("a.example", STRANGER, 1).replayed();
    let listed = Row {
        authenticated: true,
        ..row("a.example", STRANGER, 1)
    };
    let unsigned = row("plain.example", STRANGER, 1);
    for other in [passing, listed, unsigned] {
        let rows = [forgeries(5), vec![other]].concat();
        assert!(!days(&rows).is_known_spoofer());
    }
}

#[test]
fn a_forwarder_of_domains_that_do_not_sign_is_no_spoofer() {
    let unsigned = banks().map(Row::own_unsigned).map(|row| Row {
        dkim: false,
        signed: false,
        ..row
    });
    let forwarded: Vec<Row> = unsigned.iter().map(forged).collect();
    let network = store().days(10, &unsigned).days(7, &forwarded).network(STRANGER);
    assert_eq!((network.forged, network.is_known_spoofer()), (0, false));
}

#[test]
fn what_a_network_did_eight_days_ago_does_not_count() {
    let mut days = store().days(20, &banks());
    for back in 7..10 {
        days.rows
            .entry(TODAY - back)
            .or_default()
            .extend(banks().iter().map(forged));
    }
    assert_eq!(days.network(STRANGER), NetworkHistory::default());
}

/// Signed mail of theirs that comes another way.
fn passed_on(count: usize) -> Vec<Row> {
    let (client, spf) = (STRANGER.parse().unwrap(), false);
    banks()
        .into_iter()
        .take(count)
        .map(|row| Row { client, spf, ..row })
        .collect()
}

#[test]
fn a_forwarder_is_a_network_from_which_signed_mail_of_three_regular_senders_passes() {
    let days = |rows: &[Row]| store().days(10, &banks()).days(2, rows).network(STRANGER);
    assert!(days(&passed_on(3)).is_forwarder());
    assert!(!days(&passed_on(2)).is_forwarder());
    // What a neighbor of it sends does not matter.
    let neighbor = row("z.example", STRANGER, 1_000_000);
    assert!(days(&[passed_on(3), vec![neighbor]].concat()).is_forwarder());
    // Domains of its own that pass from there, and from nowhere else, make it none.
    let look_alikes =
        ["a-bank.example", "b-bank.example", "c-bank.example"].map(|name| row(name, STRANGER, 9).replayed());
    let network = store()
        .days(10, &banks())
        .days(10, &look_alikes)
        .network(STRANGER);
    assert_eq!((network.forwarded.count(), network.is_shared()), (0, false));
}

#[test]
fn a_network_that_forwarded_mail_of_a_sender_is_remembered_for_a_month() {
    let suffixes = Suffixes::built_in();
    let has = |network: NetworkHistory, name: &str| {
        network.has_forwarded(&DomainName::parse(name).unwrap(), &suffixes)
    };
    let mut days = store().days(30, &banks());
    days.rows.entry(TODAY - 20).or_default().extend(passed_on(1));
    let network = days.network(STRANGER);
    assert!(has(network, "a.example") && has(network, "x.a.example"));
    assert!(!has(network, "b.example") && !network.is_forwarder());
    let mut days = store().days(60, &banks());
    days.rows.entry(TODAY - 30).or_default().extend(passed_on(1));
    assert!(!has(days.network(STRANGER), "a.example"));
}

#[test]
fn a_young_store_is_no_evidence() {
    let bank = row("bank.example", OWN, 100).own();
    assert!(matches!(
        store().days(YOUNG_DAYS - 1, std::slice::from_ref(&bank)).seen(),
        Seen::Young(13)
    ));
    assert!(matches!(store().days(YOUNG_DAYS, &[bank]).seen(), Seen::Known(_)));
    assert!(matches!(SeenHistory::default().seen(TODAY), Seen::Young(0)));
    let author = DomainName::parse("bank.example").unwrap();
    for nothing in [Seen::Off, Seen::Away, Seen::Young(6)] {
        assert_eq!(nothing.signing(&author), None);
        assert_eq!(nothing.network(ClientNetwork::of([192, 0, 2, 1].into())), None);
    }
}

/// The published vectors of FNV-1a, 64 bits.
#[test]
fn an_organization_is_the_hash_of_its_registrable_name() {
    let suffixes = Suffixes::built_in();
    let number = |name: &str| organization(&DomainName::parse(name).unwrap(), &suffixes);
    assert_eq!(
        (number("a"), number("foobar")),
        (0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8)
    );
    assert_eq!(number("shop.bank.example"), number("bank.example"));
    assert_ne!(number("shop.bank.example"), number("bank.test"));
}

#[test]
fn of_a_flood_of_names_those_with_most_messages_are_kept() {
    let mut entries: std::collections::HashMap<u32, u64> =
        (0..10).map(|key| (key, u64::from(key % 5))).collect();
    super::day::keep_most(&mut entries, 10, |weight| *weight);
    assert_eq!(entries.len(), 10);
    super::day::keep_most(&mut entries, 3, |weight| *weight);
    let mut kept: Vec<_> = entries.into_keys().collect();
    kept.sort_unstable();
    assert_eq!(kept, [3, 4, 9]);
}
