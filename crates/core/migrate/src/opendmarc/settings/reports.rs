//! What is written down and reported to others: P12 to P16, P22, P24, P41.

use landmarc_mail::text::quoted;
use landmarc_settings::key;

use super::draft::Draft;
use super::parameter::Parameter as P;
use super::service::is_volatile;
use crate::file::toml_list;

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
    if draft
        .conf
        .path(P::HistoryFile)
        .is_some_and(|path| is_volatile(&path))
    {
        draft.warn(
            P::HistoryFile,
            "Its directory is emptied when the machine starts, and what was not imported is lost: save the file before.",
        );
    }
}

fn reports_failures(draft: &Draft<'_>) -> bool {
    draft.conf.flag(P::FailureReports) == Some(true)
}

/// P15: our one address switches all reporting on, so aggregate reports are only left on where there was
/// a history to make them of.
fn sender(draft: &mut Draft<'_>) {
    let given = draft.conf.text(P::FailureReportsSentBy);
    let has_history = draft.conf.text(P::HistoryFile).is_some();
    if !reports_failures(draft) {
        if let Some(address) = given {
            let why = format!(
                "OpenDMARC used it for failure reports only, which are off. report.email = {} would switch reporting on.",
                quoted(address)
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
            key!(report.email),
            address,
            "Whom all reports come from.",
        ),
        None => {
            let user = draft.conf.text(P::UserId).and_then(|user| user.split(':').next());
            let address = format!("{}@{}", user.unwrap_or(USUAL_SENDER), draft.site.host_name);
            draft.set(
                P::FailureReports,
                key!(report.email),
                &address,
                "Whom all reports come from: FailureReportsSentBy is not set, and OpenDMARC takes its user and this host.",
            )
        }
    };
    if is_set {
        aggregate(draft, has_history);
    }
}

fn aggregate(draft: &mut Draft<'_>, has_history: bool) {
    let why = match has_history {
        true => {
            "The history was for aggregate reports: landmarc sends them itself, once a day. Take the cron job of \
             opendmarc-import and opendmarc-reports out when you start it. --report-org of that job is \
             report.organization here."
        }
        false => "There was no HistoryFile, so no aggregate reports; \"true\" sends them.",
    };
    draft.set_unasked(key!(report.aggregate), has_history.to_string(), why);
}

/// P14.
fn failure_reports(draft: &mut Draft<'_>) {
    if reports_failures(draft) && draft.conf.flag(P::FailureReportsOnNone).is_none() {
        draft.set_unasked(
            key!(report.failure.on_none),
            "false",
            "OpenDMARC reports failures of domains with p=none only with FailureReportsOnNone. \"true\" is more useful to \
             them: most owners begin there.",
        );
    }
}

/// P13.
fn copies(draft: &mut Draft<'_>) {
    let source = P::FailureReportsBcc;
    if draft.conf.text(source).is_none() {
        return;
    }
    let addresses = draft.conf.list(source);
    let Some((first, others)) = addresses.split_first() else {
        draft.note(source, "It names nobody.");
        return;
    };
    draft.set(
        source,
        key!(report.failure.bcc),
        first,
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
    let Some(command) = draft.conf.text(source) else {
        return;
    };
    let program = command.split_ascii_whitespace().next().unwrap_or_default();
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
        key!(report.delivery.by),
        "sendmail",
        "No shell is run, and the recipients are given as arguments.",
    );
    let arguments = [program, "-i", "-f", "{return_path}", "--", "{recipient}"];
    draft.set_toml(
        source,
        key!(report.delivery.sendmail),
        toml_list(&arguments),
        "The program of that line.",
    );
}

/// P41.
fn excluded(draft: &mut Draft<'_>) {
    let source = P::NoReportsList;
    let Some(text) = draft.conf.text(source) else {
        return;
    };
    let domains = match text.contains('/') {
        true => draft.lines_of(source),
        false => Some(draft.conf.list(source)),
    };
    match domains {
        Some(domains) => draft.set_list(source, key!(report.exclude_domains), domains, ""),
        None => draft.warn(
            source,
            "The file could not be read while this was translated: report.exclude_domains is its list.",
        ),
    }
}
