//! The other filters of this field, from Debian's packages: installed, or unpacked in a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::corpus::AUTHSERV_ID;
use crate::filters::{Running, listening};
use crate::process::Filter;

/// Names of what can be started here.
pub(crate) const PEERS: [&str; 2] = ["opendkim+opendmarc", "rspamd"];

/// One program of a peer.
struct Program {
    name: &'static str,
    /// Below the root of the packages.
    path: &'static str,
    /// With `{…}` where something is filled in.
    settings: &'static str,
    /// What stands before the name of the settings file.
    arguments: &'static [&'static str],
}

const OPENDKIM: Program = Program {
    name: "opendkim",
    path: "usr/sbin/opendkim",
    settings: include_str!("peers/opendkim.conf"),
    arguments: &["-f", "-x"],
};

const OPENDMARC: Program = Program {
    name: "opendmarc",
    path: "usr/sbin/opendmarc",
    settings: include_str!("peers/opendmarc.conf"),
    arguments: &["-f", "-c"],
};

const RSPAMD: Program = Program {
    name: "rspamd",
    path: "usr/bin/rspamd",
    settings: include_str!("peers/rspamd.conf"),
    // In the foreground, as root: its sockets lie in our folder.
    arguments: &["-f", "-i", "-c"],
};

/// The programs that one name stands for, in the order in which a message passes through them.
fn programs(peer: &str) -> &'static [Program] {
    match peer {
        "opendkim+opendmarc" => &[OPENDKIM, OPENDMARC],
        "rspamd" => &[RSPAMD],
        _ => &[],
    }
}

/// Whether all programs of this peer are there.
pub(crate) fn is_there(peer: &str, tools: &Path) -> bool {
    let programs = programs(peer);
    !programs.is_empty() && programs.iter().all(|program| tools.join(program.path).is_file())
}

/// Starts the peer; its address names all its sockets, with commas between.
pub(crate) fn start(peer: &str, tools: &Path, folder: &Path) -> io::Result<Running> {
    let mut filter = Filter::none();
    let mut addresses = Vec::new();
    for program in programs(peer) {
        let socket = program.start(tools, folder, &mut filter)?;
        addresses.push(format!("unix:{}", socket.display()));
    }
    Ok(Running {
        filter,
        address: addresses.join(","),
        config: PathBuf::new(),
    })
}

impl Program {
    fn start(&self, tools: &Path, folder: &Path, filter: &mut Filter) -> io::Result<PathBuf> {
        let name = self.name;
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        let (socket, log, config) = (file("sock"), file("log"), file("conf"));
        // That of a run before.
        let _ = fs::remove_file(&socket);
        fs::write(&config, self.filled_in(tools, folder, &socket)?)?;
        let mut command = Command::new(tools.join(self.path));
        command.args(self.arguments).arg(&config);
        let share = tools.join("usr/share/rspamd").display().to_string();
        if name == "rspamd" {
            let own = folder.display();
            command.args([
                format!("--var=SHAREDIR={share}"),
                format!("--var=LUALIBDIR={share}/lualib"),
                format!("--var=PLUGINSDIR={share}/plugins"),
                format!("--var=RULESDIR={share}/rules"),
                format!("--var=DBDIR={own}"),
                format!("--var=RUNDIR={own}"),
                format!("--var=LOGDIR={own}"),
            ]);
        }
        if tools != Path::new("/") {
            let libraries = ["usr/lib", "usr/lib/x86_64-linux-gnu", "usr/lib/rspamd"];
            let libraries = libraries.map(|path| tools.join(path).display().to_string());
            command.env("LD_LIBRARY_PATH", libraries.join(":"));
        }
        filter.add(&mut command, &log)?;
        listening(&socket, name, &log)?;
        Ok(socket)
    }

    fn filled_in(&self, tools: &Path, folder: &Path, socket: &Path) -> io::Result<String> {
        let hosts = folder.join("hosts");
        fs::write(&hosts, "127.0.0.1\n")?;
        // The names of the corpus are below no suffix that the public list has.
        let suffixes = folder.join("suffixes.dat");
        fs::write(&suffixes, "example\n")?;
        let values = [
            ("{name}", Path::new(AUTHSERV_ID)),
            ("{socket}", socket),
            ("{hosts}", &hosts),
            ("{suffixes}", &suffixes),
            ("{history}", &folder.join("opendmarc.history")),
            ("{folder}", folder),
            ("{share}", &tools.join("usr/share/rspamd")),
        ];
        let fill =
            |text: String, (place, value): (&str, &Path)| text.replace(place, &value.display().to_string());
        Ok(values.into_iter().fold(self.settings.to_owned(), fill))
    }
}
