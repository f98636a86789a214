//! Mail that is not judged: P17, P18, P38.

use super::draft::Draft;
use super::parameter::Parameter as P;
use landmarc_mail::text::quoted;

/// What a line of the hosts file may call this host.
const THIS_HOST: [&str; 5] = ["localhost", "127.0.0.1", "127.0.0.0/8", "127.0.0.1/32", "::1"];

pub(super) fn translate(draft: &mut Draft<'_>) {
    hosts(draft);
    authors(draft);
    authenticated(draft);
}

/// P17, contradiction 6 of the seeds.
fn hosts(draft: &mut Draft<'_>) {
    let source = P::IgnoreHosts;
    let Some(path) = draft.conf.path(source) else {
        return;
    };
    draft.set(
        source,
        ("clients", "trusted_hosts_file"),
        path.clone(),
        "The file stays as it is: names, addresses, networks, \".parent\" and \"!\" are understood. It is read again at a reload.",
    );
    match draft.lines_of(source) {
        Some(lines) if lines.iter().any(|line| names_this_host(line)) => {}
        Some(_) => draft.warn(
            source,
            "It does not list localhost, so OpenDMARC 1.4 judges mail that this host itself sends. Here it is not judged, \
             list or no list (clients.trusted_networks).",
        ),
        None => draft.warn(
            source,
            &format!("{} could not be read while this was translated, and must be there.", quoted(&path)),
        ),
    }
}

fn names_this_host(line: &str) -> bool {
    THIS_HOST.iter().any(|name| line.eq_ignore_ascii_case(name))
}

/// P18.
fn authors(draft: &mut Draft<'_>) {
    let source = P::IgnoreMailFrom;
    let Some(entry) = draft.conf.entry(source) else {
        return;
    };
    let domains: Vec<_> = entry.list().map(str::to_owned).collect();
    draft.set_list(
        source,
        ("clients", "skip_author_domains"),
        domains,
        "Anybody can write such a From field, and is let in by this. A rule that accepts, and names the client or the \
         signature as well, is better (docs/rules.md).",
    );
}

/// P38.
fn authenticated(draft: &mut Draft<'_>) {
    const KEY: (&str, &str) = ("clients", "skip_authenticated");
    match draft.conf.flag(P::IgnoreAuthenticatedClients) {
        Some(true) => {
            draft.set(P::IgnoreAuthenticatedClients, KEY, true, "");
        }
        Some(false) => {
            draft.set(
                P::IgnoreAuthenticatedClients,
                KEY,
                false,
                "Mail of users who have signed in is judged; \"true\" is better, for it comes from their own networks.",
            );
        }
        None => draft.unasked(
            "Mail of users who have signed in is not judged (clients.skip_authenticated), which OpenDMARC only does with \
             IgnoreAuthenticatedClients.",
        ),
    }
}

impl Draft<'_> {
    /// The lines of a file that this parameter names, without comments and blanks; none when it could not
    /// be read.
    pub(super) fn lines_of(&self, parameter: P) -> Option<Vec<String>> {
        let path = self.conf.path(parameter)?;
        let octets = self.site.files.get(&path)?;
        let text = String::from_utf8_lossy(octets);
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        Some(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }
}
