//! `outbox redirect`: where the reports about a domain go against what its record says.

use clap::Args;
use landmarc_store::Redirection;
use serde_json::json;

use super::{AFTER_HELP, setup};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::listing::{self, Field, field};
use crate::notes::note;
use crate::output::{print, terminal_width};
use crate::records::{SelectedStore, StoreArguments};
use crate::table::{self, Column, Cut, column};
use landmarc_reporter::address_of;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::time::to_the_second;

/// Arguments of `outbox redirect`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OutboxRedirectArguments {
    /// The DMARC Policy Domain whose reports are meant [default: list all that are redirected]
    #[arg(value_name = "DOMAIN", value_parser = crate::options::domain)]
    policy_domain: Option<String>,
    /// Send them there: mailto:ADDRESS, or an address; may be given several times. DNS is not asked whether they
    /// are wanted there
    #[arg(long, value_name = "URI", requires = "policy_domain")]
    to: Vec<String>,
    /// Send them nowhere
    #[arg(long, requires = "policy_domain", conflicts_with = "to")]
    nowhere: bool,
    /// Send them where the record says, as before
    #[arg(long, requires = "policy_domain", conflicts_with_all = ["to", "nowhere"])]
    remove: bool,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object for each line of the list
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) fn run(arguments: &OutboxRedirectArguments) -> CommandResult {
    let found = arguments.store.find()?;
    match &arguments.policy_domain {
        Some(domain) if arguments.remove => remove(&found, domain),
        Some(domain) if arguments.nowhere || !arguments.to.is_empty() => {
            redirect(&found, domain, &arguments.to)
        }
        domain => list(&found, domain.as_deref(), arguments.json),
    }
}

/// Redirects the reports about a domain; with no addresses they go nowhere.
///
/// # Errors
/// With what is printed, and the exit code.
pub(crate) fn redirect(found: &SelectedStore, policy_domain: &str, to: &[String]) -> CommandResult {
    let rua = to.iter().map(|text| uri(text)).collect::<Result<Vec<_>, _>>()?;
    if rua.len() > landmarc_store::MAX_URIS {
        return Err(failure!(
            Exit::Usage,
            "reports can be redirected to {} addresses at most",
            landmarc_store::MAX_URIS
        ));
    }
    let redirection = Redirection {
        policy_domain: policy_domain.to_owned(),
        rua,
        since_ms: now_ms(),
    };
    let mut outbox = setup::outbox(found)?;
    outbox.redirect(&redirection)?;
    let to = if to.is_empty() { "" } else { "to " };
    print(&format!(
        "reports about {policy_domain} go {to}{}\n",
        where_to(&redirection)
    ))
}

/// Lets the reports about a domain go where its record says.
///
/// # Errors
/// With what is printed, and the exit code.
pub(crate) fn remove(found: &SelectedStore, policy_domain: &str) -> CommandResult {
    let mut outbox = setup::outbox(found)?;
    let was_there = outbox.stop_redirecting(policy_domain)?;
    if !was_there {
        return Err(failure!(
            Exit::Findings,
            "reports about {policy_domain} are not redirected"
        ));
    }
    print(&format!(
        "reports about {policy_domain} go where its record says\n"
    ))
}

/// Lists what is redirected, or what there is of one domain.
///
/// # Errors
/// With what is printed, and the exit code.
pub(crate) fn list(found: &SelectedStore, domain: Option<&str>, as_json: bool) -> CommandResult {
    let mut all = found.read()?.redirections()?;
    all.retain(|one| domain.is_none_or(|domain| one.policy_domain == domain));
    if all.is_empty() {
        let what = domain.map_or_else(
            || "no reports".to_owned(),
            |domain| format!("no reports about {domain}"),
        );
        note!("landmarc: {what} are redirected in {}", found.place);
    }
    print(&match as_json {
        true => as_lines(&all),
        false => as_table(&all, terminal_width()),
    })
}

/// As it is kept: a `mailto` URI.
fn uri(text: &str) -> Result<String, Failure> {
    let uri = match text.contains(':') {
        true => text.to_owned(),
        false => format!("mailto:{text}"),
    };
    match address_of(&uri) {
        Some(_) => Ok(uri),
        None => Err(failure!(
            Exit::Usage,
            "{text:?} is no address that reports can go to; write mailto:dmarc@example.com"
        )),
    }
}

fn where_to(redirection: &Redirection) -> String {
    match redirection.rua.as_slice() {
        [] => "nowhere".to_owned(),
        uris => uris.join(" "),
    }
}

const FIELDS: [Field<Redirection>; 3] = [
    field("policy_domain", |one| json!(one.policy_domain)),
    field("since", |one| to_the_second(one.since_ms).into()),
    field("to", |one| json!(one.rua)),
];

const COLUMNS: [Column; 3] = [
    column("policy_domain", 0, 14, Cut::Start),
    column("since", 1, 20, Cut::End),
    column("to", 0, 20, Cut::End),
];

fn as_table(all: &[Redirection], width: Option<usize>) -> String {
    let cell = |one: &Redirection, name: &str| match name {
        "to" => where_to(one),
        name => listing::word(&FIELDS, one, name),
    };
    table::of_rows(&COLUMNS, all, cell, width)
}

fn as_lines(all: &[Redirection]) -> String {
    listing::as_json(all, |one| listing::object(&FIELDS, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_a_uri() {
        assert_eq!(
            uri("dmarc@example.com"),
            Ok("mailto:dmarc@example.com".to_owned())
        );
        assert_eq!(
            uri("mailto:a@example.com!10m"),
            Ok("mailto:a@example.com!10m".to_owned())
        );
        for wrong in [
            "",
            "example.com",
            "https://example.com/",
            "mailto:a b@example.com",
        ] {
            assert_eq!(uri(wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
        }
    }

    #[test]
    fn the_list_says_where_reports_go_and_since_when() {
        let one = Redirection {
            policy_domain: "example.com".to_owned(),
            rua: vec![
                "mailto:a@example.net".to_owned(),
                "mailto:b@example.net".to_owned(),
            ],
            since_ms: 1_780_272_000_000,
        };
        let nowhere = Redirection {
            policy_domain: "example.org".to_owned(),
            rua: Vec::new(),
            ..one.clone()
        };
        insta::assert_snapshot!(as_table(&[one.clone(), nowhere], None), @r#"
        policy_domain  since                 to
        example.com    2026-06-01T00:00:00Z  mailto:a@example.net mailto:b@example.net
        example.org    2026-06-01T00:00:00Z  nowhere
        "#);
        assert!(as_lines(&[one]).contains("\"to\":[\"mailto:a@example.net\",\"mailto:b@example.net\"]"));
        assert_eq!(as_table(&[], None), "");
    }
}
