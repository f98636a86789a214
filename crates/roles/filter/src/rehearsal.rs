//! What a mail server would be told, for whoever only looks: `opendmarc -t`.

use landmarc_milter::{Edit, Response};
use landmarc_receiver::Judgement;
use landmarc_settings::Settings;

use super::answer;

/// The answer to a mail server that lets filters do everything, and calls the message `queue_id`.
pub fn rehearse(judgement: &Judgement, settings: &Settings, authserv_id: &str, queue_id: &str) -> Response {
    let mut response = answer::response(judgement);
    if settings.software_header {
        response.edits.push(answer::software(authserv_id, queue_id));
    }
    if let Some(address) = &settings.action.copy_to
        && judgement.is_taken_against_policy()
    {
        response.edits.push(Edit::AddRcpt(address.to_string()));
    }
    response
}
