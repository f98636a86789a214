//! Why a request is not served, as HTTP says it.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::drive::DriveError;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("the request needs one Host field, with a host in it")]
    NoHost,
    #[error("this service does not go by the name in the Host field")]
    OtherHost,
    #[error("the request comes from a web page")]
    FromBrowser,
    #[error("the request does not name the secret, or names another one")]
    NoSecret,
    #[error("there is no such resource")]
    NotFound,
    #[error("this resource is for {0}")]
    OtherMethod(&'static str),
    #[error("{field}: {why}")]
    Field { field: String, why: String },
    #[error("the message comes without its length")]
    NoLength,
    #[error(transparent)]
    TooLarge(#[from] DriveError),
    #[error("the message is encoded ({0})")]
    Encoded(&'static str),
    #[error("the body is a form ({0}), not a message")]
    Form(&'static str),
    #[error("the message was cut off")]
    CutOff,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoHost | Self::Field { .. } | Self::CutOff => StatusCode::BAD_REQUEST,
            Self::NoSecret => StatusCode::UNAUTHORIZED,
            Self::FromBrowser => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::OtherMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoLength => StatusCode::LENGTH_REQUIRED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoded(_) | Self::Form(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
        }
    }

    /// What the operator, or the writer of the client, can do.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::NoHost => "send one Host field, as HTTP/1.1 asks for",
            Self::OtherHost => "ask by address, as localhost, or by a name of check_api.host_names",
            Self::FromBrowser => "send no Origin field; browsers are not to have messages judged",
            Self::NoSecret => {
                "send \"Authorization: Bearer SECRET\" (clients of rspamd: \"Password: SECRET\"), with what is in \
                 check_api.secret_file"
            }
            Self::OtherMethod("POST") => "send the message with POST",
            Self::NotFound | Self::OtherMethod(_) => "GET /v1/ tells what there is",
            Self::Field { .. } => "GET /v1/ tells the fields and their values",
            Self::NoLength => "send Content-Length, or chunks (Transfer-Encoding: chunked)",
            Self::TooLarge(_) => "raise check_api.max_message_size, or lower the limit of the mail server",
            Self::Encoded(_) => {
                "send the message as it is, neither compressed nor encrypted nor within JSON; what is known of it goes \
                 into Landmarc fields"
            }
            Self::Form(_) => {
                "send the message as it is, with Content-Type: message/rfc822; with curl, use --data-binary @FILE -H \
                 'Content-Type: message/rfc822'"
            }
            Self::CutOff => "send as many octets as Content-Length says",
        }
    }

    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let object = json!({"error": self.to_string(), "remedy": self.remedy()});
        let mut response = answer(self.status(), &object);
        if let Self::OtherMethod(method) = self
            && let Ok(method) = header::HeaderValue::from_str(method)
        {
            response.headers_mut().insert(header::ALLOW, method);
        }
        if *self == Self::NoSecret {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// A response with this object.
pub(super) fn answer(status: StatusCode, object: &Value) -> Response<Full<Bytes>> {
    response(status, "application/json", format!("{object}\n"))
}

/// A response with this text.
pub(super) fn text(text: impl Into<String>) -> Response<Full<Bytes>> {
    response(StatusCode::OK, "text/plain; charset=utf-8", text.into())
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let fields = [
        (header::CONTENT_TYPE, kind),
        // What was found of one message is nothing to keep, and text is never to be taken for a script.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fields {
        response
            .headers_mut()
            .insert(name, header::HeaderValue::from_static(value));
    }
    response
}
