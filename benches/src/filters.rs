//! The filters that are measured, each started on a socket of its own with empty caches.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::corpus::AUTHSERV_ID;
use crate::process::{Filter, wait_for};

/// A filter that listens.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) filter: Filter,
    /// `unix:PATH` or `inet:PORT@HOST`; of a chain several, with commas between.
    pub(crate) address: String,
    /// The settings file of landmarc.
    pub(crate) config: PathBuf,
}

impl Running {
    /// The addresses as Postfix takes them in `smtpd_milters`.
    pub(crate) fn milters(&self) -> Vec<String> {
        let each = self.address.split(',').map(|address| {
            let inet = address
                .strip_prefix("inet:")
                .and_then(|rest| rest.split_once('@'));
            inet.map_or_else(
                || address.to_owned(),
                |(port, host)| format!("inet:{host}:{port}"),
            )
        });
        each.collect()
    }
}

/// `landmarc serve`, with all policies done as published, recording on, in a new database.
pub(crate) fn landmarc(
    binary: &Path,
    folder: &Path,
    dns: SocketAddr,
    inet: bool,
    settings: &str,
) -> io::Result<Running> {
    let listen = if inet {
        "inet:127.0.0.1:0".to_owned()
    } else {
        format!("unix:{}", folder.join("landmarc.sock").display())
    };
    let (config, state) = (folder.join("landmarc.toml"), folder.join("landmarc-state"));
    // That of a run before.
    let _ = std::fs::remove_dir_all(&state);
    std::fs::create_dir_all(&state)?;
    let text = format!(
        "authserv_id = \"{AUTHSERV_ID}\"\nmilter.listen = [\"{listen}\"]\nmilter.socket_mode = \"0666\"\n\
         milter.max_sessions = 20000\nweb.listen = []\ndns.name_servers = [\"{dns}\"]\nlog.target = \"stderr\"\n\
         action.reject = \"always\"\naction.quarantine = \"hold\"\nstore.directory = \"{}\"\n{settings}\n",
        state.display()
    );
    std::fs::write(&config, text)?;
    let log = folder.join("landmarc.log");
    let mut filter = Filter::none();
    filter.add(
        Command::new(binary).args(["serve", "--config"]).arg(&config),
        &log,
    )?;
    let address = wait_for(|| told_address(&std::fs::read_to_string(&log).ok()?));
    let Some(address) = address else {
        return Err(failed("landmarc", &log));
    };
    Ok(Running {
        filter,
        address,
        config,
    })
}

/// What landmarc tells the operator to put into Postfix, in the form of libmilter.
fn told_address(log: &str) -> Option<String> {
    const LISTENS: &str = "in Postfix: smtpd_milters = ";
    let line = log.lines().find(|line| line.contains(LISTENS))?;
    let (_, address) = line.split_once(LISTENS)?;
    let address = address.trim();
    let inet = address
        .strip_prefix("inet:")
        .and_then(|rest| rest.rsplit_once(':'));
    Some(inet.map_or_else(
        || address.to_owned(),
        |(host, port)| format!("inet:{port}@{host}"),
    ))
}

/// How many messages a running landmarc has written down: waited for until they are as many as
/// were answered, for a record may come after its answer.
///
/// # Errors
/// When the program cannot tell.
pub(crate) fn recorded(binary: &Path, running: &Running, answered: u64) -> io::Result<u64> {
    let all = wait_for(|| match observations(binary, running) {
        Ok(some) if some < answered => None,
        ended => Some(ended),
    });
    // Fewer, when patience has ended: that is what the table is to show.
    all.unwrap_or_else(|| observations(binary, running))
}

fn observations(binary: &Path, running: &Running) -> io::Result<u64> {
    let output = Command::new(binary)
        .args(["store", "status", "--json", "--config"])
        .arg(&running.config)
        .output()?;
    let status: Value = serde_json::from_slice(&output.stdout).map_err(|error| {
        let told = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("landmarc store status: {error}; {told}"))
    })?;
    status
        .get("observations")
        .and_then(Value::as_u64)
        .ok_or_else(|| io::Error::other(format!("landmarc store status tells no observations: {status}")))
}

/// A filter of this program that does nothing.
pub(crate) fn null(kind: &str, folder: &Path) -> io::Result<Running> {
    let path = folder.join(format!("null-{kind}.sock"));
    // That of a run before.
    let _ = std::fs::remove_file(&path);
    let mut filter = Filter::none();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve-null", kind]).arg(&path);
    let log = folder.join("null.log");
    filter.add(&mut command, &log)?;
    listening(&path, "null", &log)?;
    Ok(Running {
        filter,
        address: format!("unix:{}", path.display()),
        config: PathBuf::new(),
    })
}

/// Waits until somebody listens on the path.
pub(crate) fn listening(path: &Path, name: &str, log: &Path) -> io::Result<()> {
    wait_for(|| std::os::unix::net::UnixStream::connect(path).ok())
        .map(drop)
        .ok_or_else(|| failed(name, log))
}

fn failed(name: &str, log: &Path) -> io::Error {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    io::Error::other(format!("{name} does not listen:\n{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_what_landmarc_tells() {
        let log =
            |address| format!("INFO listening\nINFO in Postfix: smtpd_milters = {address}\nINFO more\n");
        let inet = told_address(&log("inet:127.0.0.1:8891"));
        assert_eq!(inet.as_deref(), Some("inet:8891@127.0.0.1"));
        let unix = told_address(&log("unix:/run/landmarc/milter.sock"));
        assert_eq!(unix.as_deref(), Some("unix:/run/landmarc/milter.sock"));
        assert_eq!(told_address("INFO starting\n"), None);
    }

    #[test]
    fn a_chain_is_told_to_postfix_one_by_one() {
        let running = Running {
            filter: Filter::none(),
            address: "unix:/a,inet:8891@127.0.0.1".to_owned(),
            config: PathBuf::new(),
        };
        assert_eq!(running.milters(), ["unix:/a", "inet:127.0.0.1:8891"]);
    }
}
