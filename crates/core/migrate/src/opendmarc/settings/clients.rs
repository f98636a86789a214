//! Mail that is not judged: P17.

use landmarc_mail::text::quoted;
use landmarc_settings::key;

use super::draft::Draft;
use super::parameter::Parameter as P;

/// What a line of the hosts file may call this host.
const THIS_HOST: [&str; 5] = ["localhost", "127.0.0.1", "127.0.0.0/8", "127.0.0.1/32", "::1"];

/// P17, contradiction 6 of the seeds.
pub(super) fn translate(draft: &mut Draft<'_>) {
    let source = P::IgnoreHosts;
    let Some(path) = draft.conf.path(source) else {
        return;
    };
    draft.set(
        source,
        key!(clients.trusted_hosts_file),
        &path,
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
