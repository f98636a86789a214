//! The file of hosts whose mail is not judged, which the settings name.

use landmarc_settings::hosts::Hosts;
use landmarc_settings::{MAX_FILE_OCTETS, Settings};

use super::rules_file::Fault;
use super::unreadable;
use crate::files::read_file;
use crate::visible::visible_path;

/// Reads it; there are no hosts where no file is named.
pub(super) fn read(settings: &Settings) -> Result<Hosts, Fault> {
    let Some(path) = &settings.clients.trusted_hosts_file else {
        return Ok(Hosts::default());
    };
    let octets =
        read_file(path, MAX_FILE_OCTETS).map_err(|error| Fault::Unreadable(unreadable(path, &error)))?;
    let name = visible_path(path);
    Hosts::read(&octets).map_err(|mistakes| Fault::Mistakes(mistakes.render(&name)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::load::{LoadError, Loaded, read};

    /// Settings that name a file of hosts with this text, which is gone afterwards.
    fn with_hosts(test: &str, hosts: &str) -> Result<Loaded, LoadError> {
        let path = std::env::temp_dir().join(format!("landmarc-hosts-{}-{test}", std::process::id()));
        fs::write(&path, hosts).unwrap();
        let text = format!("clients.trusted_hosts_file = \"{}\"\n", path.display());
        let loaded = read("f", text.as_bytes(), None);
        fs::remove_file(&path).unwrap();
        loaded
    }

    #[test]
    fn p17_hosts_come_from_the_file_that_the_settings_name() {
        let loaded = with_hosts("right", "# ours\n192.0.2.0/24\n").unwrap();
        assert!(loaded.hosts.have_address("192.0.2.7".parse().unwrap()));
        assert!(loaded.warnings.is_empty());
        let without = read("f", b"", None).unwrap();
        assert!(!without.hosts.have_address("192.0.2.7".parse().unwrap()));
    }

    /// OpenDMARC 1.4.2 ends with 65 at an unreadable file, and passes over bad lines.
    #[test]
    fn p17_a_file_that_cannot_be_read_or_has_bad_lines_is_a_mistake() {
        let Err(LoadError::Mistakes(lines)) = with_hosts("wrong", "ok.example\n192.0.2.256\n") else {
            panic!("it was read");
        };
        let (_, line) = lines.split_once("-wrong:").unwrap();
        insta::assert_snapshot!(line, @r#"2: "192.0.2.256" is no host: it is not an IP address"#);
        let absent = read(
            "f",
            b"[clients]\ntrusted_hosts_file = \"/nonexistent/hosts\"\n",
            None,
        );
        let Err(LoadError::Mistakes(lines)) = absent else {
            panic!("it was read");
        };
        insta::assert_snapshot!(
            lines,
            @r#"f:2:22: clients.trusted_hosts_file: /nonexistent/hosts: No such file or directory (os error 2); create it, or set it to """#
        );
    }
}
