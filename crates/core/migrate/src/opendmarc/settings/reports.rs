//! What is written down and told to others: P12 to P16, P22, P24, P41.

use super::draft::Draft;
use super::parameter::Parameter as P;
use super::service::is_volatile;
use landmarc_mail::text::quoted;

/// What a shell would make something of. No shell is run here.
const SHELL: &[char] = &[
    '|', '&', ';', '<', '>', '(', ')', '$', '`', '\\', '"', '\'', '*', '?', '~',
];

/// Whom failure reports come from if nobody says so, at the name of the host (P15).
const USUAL_SENDER: &str = "postmaster";

pub(super) fn translate(draft: &mut Draft<'_>) {
    history(draft);
    sender(draft);
    failure_reports(draft);
    copies(draft);
    delivery(draft);
    excluded(draft);
}

/// P16, P22, contradiction 3 of the seeds.
fn history(draft: &mut Draft<'_>) {
    if let Some(path) = draft.conf.path(P::HistoryFile) {
        draft.note(
            P::HistoryFile,
            "Messages are written into the database of the service (store.directory). Bring in what is in the file, once or any \
             number of times: \"landmarc migrate opendmarc --history FILE\". If other programs read it, \"landmarc history \
             export\" writes one.",
        );
        if is_volatile(&path) {
            draft.warn(
                P::HistoryFile,
                "Its directory is emptied when the machine starts, and what was not imported is lost: save the file before.",
            );
        }
    }
}

fn reports_failures(draft: &Draft<'_>) -> bool {
    draft.conf.flag(P::FailureReports) == Some(true)
}

/// P15: our one address switches all reporting on, so aggregate reports are only left on where there was
/// a history to make them of.
fn sender(draft: &mut Draft<'_>) {
    const KEY: (&str, &str) = ("report", "email");
    let given = draft.conf.text(P::FailureReportsSentBy).map(str::to_owned);
    let has_history = draft.conf.text(P::HistoryFile).is_some();
    if !reports_failures(draft) {
        if let Some(address) = given {
            let why = format!(
                "OpenDMARC used it for failure reports only, which are off. report.email = {} would switch reporting on.",
                quoted(&address)
            );
            draft.note(P::FailureReportsSentBy, &why);
        }
        if has_history {
            draft.unasked(
                "Aggregate reports are off until report.email is set: to what --report-email of opendmarc-reports says in your cron \
                 job, and report.organization to what --report-org says. Then take the job out.",
            );
        }
        return;
    }
    let is_set = match given {
        Some(address) => draft.set(
            P::FailureReportsSentBy,
            KEY,
            address,
            "Whom all reports come from.",
        ),
        None => {
            let user = draft.conf.text(P::UserId).and_then(|user| user.split(':').next());
            let address = format!("{}@{}", user.unwrap_or(USUAL_SENDER), draft.site.host_name);
            draft.set(
                P::FailureReports,
                KEY,
                address,
                "Whom all reports come from: FailureReportsSentBy is not set, and OpenDMARC takes its user and this host.",
            )
        }
    };
    if is_set {
        aggregate(draft, has_history);
    }
}

fn aggregate(draft: &mut Draft<'_>, has_history: bool) {
    const KEY: (&str, &str) = ("report", "aggregate");
    if has_history {
        draft.set_unasked(
            KEY,
            true,
            "The history was for aggregate reports: landmarc sends them itself, once a day. Take the cron job of \
             opendmarc-import and opendmarc-reports out when you start it. --report-org of that job is report.organization here.",
        );
    } else {
        draft.set_unasked(
            KEY,
            false,
            "There was no HistoryFile, so no aggregate reports; \"true\" sends them.",
        );
    }
}

/// P12, P14.
fn failure_reports(draft: &mut Draft<'_>) {
    draft.flag(
        P::FailureReports,
        ("report.failure", "enabled"),
        "The tag fo of the domain counts, destinations have limits and must agree to them, and addresses of others are \
         hidden (report.failure.redaction).",
    );
    if draft.conf.flag(P::FailureReportsOnNone).is_some() {
        draft.flag(P::FailureReportsOnNone, ("report.failure", "on_none"), "");
    } else if reports_failures(draft) {
        draft.set_unasked(
            ("report.failure", "on_none"),
            false,
            "OpenDMARC reports failures of domains with p=none only with FailureReportsOnNone. \"true\" is more useful to \
             them: most owners begin there.",
        );
    }
}

/// P13.
fn copies(draft: &mut Draft<'_>) {
    let source = P::FailureReportsBcc;
    let Some(entry) = draft.conf.entry(source) else {
        return;
    };
    let addresses: Vec<_> = entry.list().map(str::to_owned).collect();
    let Some((first, others)) = addresses.split_first() else {
        draft.note(source, "It names nobody.");
        return;
    };
    draft.set(
        source,
        ("report.failure", "bcc"),
        first.clone(),
        "It gets a copy of each failure report that is sent. OpenDMARC also wrote to it where the domain asks for none; \
         \"landmarc log --result fail\" shows those.",
    );
    if !others.is_empty() {
        draft.warn(
            source,
            "There is room for one address: let it be a list that has the others.",
        );
    }
}

/// P24, X5.
fn delivery(draft: &mut Draft<'_>) {
    let source = P::ReportCommand;
    let Some(command) = draft.conf.text(source).map(str::to_owned) else {
        return;
    };
    let program = command
        .split_ascii_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned();
    let is_sendmail = program.starts_with('/') && program.ends_with("sendmail");
    if !is_sendmail || command.contains(SHELL) {
        draft.warn(
            source,
            "Not taken over: no shell is run here. report.delivery.sendmail takes a program and its arguments, and \
             report.delivery.relay a mail server.",
        );
        return;
    }
    draft.set(
        source,
        ("report.delivery", "by"),
        "sendmail",
        "No shell is run, and the recipients are given as arguments.",
    );
    let arguments = [program.as_str(), "-i", "-f", "{return_path}", "--", "{recipient}"].map(str::to_owned);
    draft.set(
        source,
        ("report.delivery", "sendmail"),
        arguments.to_vec(),
        "The program of that line.",
    );
}

/// P41.
fn excluded(draft: &mut Draft<'_>) {
    if let Some(entry) = draft.conf.entry(P::IgnoreMailTo) {
        let addresses: Vec<_> = entry.list().map(str::to_owned).collect();
        draft.set_list(
            P::IgnoreMailTo,
            ("report", "own_addresses"),
            addresses,
            "Mail to these alone causes no report, so that two sites do not report about their reports forever.",
        );
    }
    let source = P::NoReportsList;
    let Some(entry) = draft.conf.entry(source) else {
        return;
    };
    let domains = match entry.value.contains('/') {
        true => draft.lines_of(source),
        false => Some(entry.list().map(str::to_owned).collect()),
    };
    match domains {
        Some(domains) => draft.set_list(source, ("report", "exclude_domains"), domains, ""),
        None => draft.warn(
            source,
            "The file could not be read while this was translated: report.exclude_domains is its list.",
        ),
    }
}
