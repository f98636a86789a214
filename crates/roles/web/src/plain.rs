//! Pages of plain text.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// A page of plain text.
pub(crate) fn text(code: StatusCode, words: String) -> Response {
    (code, [(header::CONTENT_TYPE, PLAIN_TEXT)], words).into_response()
}
