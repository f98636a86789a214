//! Addresses, and databases that are not there. What is there is asked in tests/e2e/migrate.

use std::net::{Ipv4Addr, TcpListener};

use super::*;

#[test]
fn an_address_is_shown_without_its_password() {
    let address: MysqlAddress = "mysql://opendmarc:se%40cret@db.example:3307/opendmarc"
        .parse()
        .unwrap();
    assert!(address.has_password());
    for shown in [address.to_string(), format!("{address:?}")] {
        assert!(
            shown.contains("mysql://opendmarc@db.example:3307/opendmarc"),
            "{shown}"
        );
        assert!(!shown.contains("cret"), "{shown}");
    }
    let of_parts = MysqlAddress::of("localhost", 3306, "opendmarc", "opendmarc");
    assert!(!of_parts.has_password() && of_parts.with_password("x").has_password());
}

#[test]
fn what_is_no_address_is_refused_and_not_quoted() {
    let refused = |text: &str| text.parse::<MysqlAddress>().unwrap_err();
    assert_eq!(refused("postgres://u:secret@h/d"), NoAddress::Scheme);
    assert_eq!(refused("mysql://u:secret@h:port/d"), NoAddress::Form);
    assert_eq!(refused("mysql://u:secret@h/"), NoAddress::Name);
    for text in ["x", "mysql://u:secret@h:port/d", "mysql://u:secret@h/"] {
        assert!(!refused(text).to_string().contains("secret"));
    }
}

/// Nobody listens on a port that was free a moment ago.
#[tokio::test]
async fn a_database_that_is_not_there_is_told_with_a_remedy() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = MysqlAddress::of("127.0.0.1", port, "opendmarc", "opendmarc").with_password("secret");
    let error = OpenDmarc::open(&address, 0).await.unwrap_err();
    assert!(matches!(error, MysqlError::Unreachable { .. }), "{error:?}");
    assert!(error.remedy().contains("bind-address"));
    assert!(!format!("{error} {error:?}").contains("secret"));
}
