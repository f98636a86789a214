//! The sockets that the settings name: whether they can be, how many files they take, and who reaches them.

use landmarc_net::{SocketAddress, UnixAccess};
use landmarc_settings::{FileMode, Mistake, Settings, WebAddress, key};

use crate::account::{Account, AccountError, find_group};
use crate::check_secret;

/// The settings of the sockets of one interface.
pub struct Sockets<'a> {
    /// As they are spelled.
    pub listen: &'a [String],
    /// The setting that names them.
    pub listen_key: &'static str,
    /// The mode of unix sockets.
    pub mode: FileMode,
    /// Their group, if one is named.
    pub group: Option<&'a str>,
    /// The setting that names it.
    pub group_key: &'static str,
    /// Connections that are served at once.
    pub connections: usize,
}

/// Requests of Exim that are served at once: as many as it serves SMTP clients by default, and a few more
/// for those it has deferred.
const EXIM_CONNECTIONS: usize = 256;

impl<'a> Sockets<'a> {
    /// Those of the milter.
    pub fn of_milter(settings: &'a Settings) -> Self {
        let milter = &settings.milter;
        Self {
            listen: &milter.listen,
            listen_key: key!(milter.listen),
            mode: milter.socket_mode,
            group: milter.socket_group.as_deref(),
            group_key: key!(milter.socket_group),
            connections: milter.max_sessions,
        }
    }

    /// Those of the check API.
    pub fn of_check_api(settings: &'a Settings) -> Self {
        let api = &settings.check_api;
        Self {
            listen: &api.listen,
            listen_key: key!(check_api.listen),
            mode: api.socket_mode,
            group: api.socket_group.as_deref(),
            group_key: key!(check_api.socket_group),
            connections: api.max_connections,
        }
    }

    /// That of Exim.
    pub fn of_exim(settings: &'a Settings) -> Self {
        let exim = &settings.exim;
        Self {
            listen: &exim.listen,
            listen_key: key!(exim.listen),
            mode: exim.socket_mode,
            group: exim.socket_group.as_deref(),
            group_key: key!(exim.socket_group),
            connections: EXIM_CONNECTIONS,
        }
    }

    /// Where they are: the spellings were checked when the settings were read.
    pub fn addresses(&self) -> Vec<SocketAddress> {
        let parsed = self.listen.iter().map(|spelling| spelling.parse());
        parsed.filter_map(Result::ok).collect()
    }

    /// Who may use those of files: the group that is named, or that of the service.
    ///
    /// # Errors
    /// When there is no such group.
    pub fn access(&self, account: &Account) -> Result<UnixAccess, AccountError> {
        let group_id = match self.group {
            Some(name) => Some(find_group(self.group_key, name)?.as_raw()),
            None => account.group_id(),
        };
        Ok(UnixAccess {
            mode: self.mode.bits(),
            user_id: account.user_id(),
            group_id,
        })
    }

    /// File descriptors that they may take.
    pub fn descriptors(&self) -> usize {
        match self.listen.len() {
            0 => 0,
            sockets => sockets + self.connections,
        }
    }

    /// What is wrong with them; none may be one of `taken`, to which they are added.
    fn mistakes(&self, settings: &Settings, taken: &mut Vec<SocketAddress>) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (index, spelling) in self.listen.iter().enumerate() {
            let refuse = |why: String| settings.refuse(self.listen_key, Some(index), why);
            match spelling.parse::<SocketAddress>() {
                Err(error) => mistakes.push(refuse(error.to_string())),
                Ok(socket) if taken.contains(&socket) && !is_any_port(&socket) => {
                    mistakes.push(refuse(format!("{spelling} is there twice")));
                }
                Ok(socket) => taken.push(socket),
            }
        }
        if let Some(name) = self.group
            && find_group(self.group_key, name).is_err()
        {
            let why = format!("there is no group {name:?} on this system");
            mistakes.push(settings.refuse(self.group_key, None, why));
        }
        mistakes
    }

    /// Those that listen beyond this host: the setting, and what that lets others do.
    fn exposed(&self, what: &str) -> Vec<(&'static str, String)> {
        let is_exposed = |spelling: &&String| {
            spelling
                .parse()
                .is_ok_and(|socket: SocketAddress| socket.is_exposed())
        };
        let exposed = self.listen.iter().filter(is_exposed);
        exposed
            .map(|spelling| {
                (
                    self.listen_key,
                    format!("{spelling} lets every host that reaches it {what}"),
                )
            })
            .collect()
    }
}

/// Of port 0 there is one each time.
fn is_any_port(socket: &SocketAddress) -> bool {
    matches!(socket, SocketAddress::Inet { port: 0, .. })
}

/// File descriptors that the interfaces of the settings may take.
pub fn descriptors(settings: &Settings) -> usize {
    // Of Exim a connection has one more, of a file in its spool.
    Sockets::of_check_api(settings).descriptors() + 2 * Sockets::of_exim(settings).descriptors()
}

/// What only the program can check: the spelling of sockets, their groups, the file of the secret. And whether there is
/// a socket for mail.
pub fn mistakes(settings: &Settings) -> (Vec<Mistake>, bool) {
    let mut taken = Vec::new();
    let mut mistakes = Vec::new();
    for sockets in [
        Sockets::of_milter(settings),
        Sockets::of_check_api(settings),
        Sockets::of_exim(settings),
    ] {
        mistakes.extend(sockets.mistakes(settings, &mut taken));
    }
    mistakes.extend(check_secret::mistakes(settings));
    mistakes.extend(listed_twice(settings));
    (mistakes, !taken.is_empty())
}

/// The sockets that listen beyond this host: the setting, and why to look at it.
pub fn exposed(settings: &Settings) -> Vec<(&'static str, String)> {
    const JUDGED: &str = "have messages judged";
    let mut exposed = Sockets::of_milter(settings).exposed("speak to the milter");
    let web = settings.web.listen.iter();
    let web = web.filter(|WebAddress(address)| !address.ip().is_loopback());
    exposed.extend(web.map(|WebAddress(address)| {
        let why = format!("{address} lets every host that reaches it read the metrics");
        (key!(web.listen), why)
    }));
    // Who knows the secret may come from anywhere.
    if settings.check_api.secret_file.is_none() {
        exposed.extend(Sockets::of_check_api(settings).exposed(JUDGED));
    }
    exposed.extend(Sockets::of_exim(settings).exposed(JUDGED));
    exposed
}

/// The addresses that the settings name more than once. Of port 0 there is one each time.
fn listed_twice(settings: &Settings) -> Vec<Mistake> {
    let listen = &settings.web.listen;
    let is_repeated = |(index, address): &(usize, &WebAddress)| {
        address.0.port() != 0 && listen.iter().take(*index).any(|earlier| earlier == *address)
    };
    let repeated = listen.iter().enumerate().filter(is_repeated);
    repeated
        .map(|(index, WebAddress(address))| {
            settings.refuse(key!(web.listen), Some(index), format!("{address} is there twice"))
        })
        .collect()
}

#[cfg(test)]
mod tests;
