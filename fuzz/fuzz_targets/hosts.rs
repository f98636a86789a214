//! The file of hosts: whatever it is, each mistake is a line of the file, and a negated file means nobody.

#![no_main]

use std::net::IpAddr;

use landmarc_mail::DomainName;
use landmarc_settings::hosts::Hosts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let hosts = match Hosts::read(octets) {
        Ok(hosts) => hosts,
        Err(mistakes) => {
            let told = mistakes.render("f");
            assert!(!told.is_empty() && told.lines().all(|line| line.starts_with("f:")));
            return;
        }
    };
    let name = DomainName::parse("mx.example.com").expect("a name");
    let addresses = ["127.0.0.1", "192.0.2.1", "::1"].map(|ip| ip.parse::<IpAddr>().expect("an address"));
    if !octets.contains(&b'!') {
        let excepted: Vec<u8> = octets
            .split(|&octet| octet == b'\n')
            .flat_map(|line| [b"!", line, b"\n"].concat())
            .collect();
        if let Ok(none) = Hosts::read(&excepted) {
            assert!(!none.have_name(&name));
            assert!(addresses.iter().all(|&ip| !none.have_address(ip)));
        }
    }
    let _ = (hosts.have_name(&name), addresses.map(|ip| hosts.have_address(ip)));
});
