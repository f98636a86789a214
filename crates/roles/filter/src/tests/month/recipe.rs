//! How a message of the month comes into being, and the octets of it.

use std::net::IpAddr;
use std::rc::Rc;

use landmarc_mail::{Envelope, ReversePath};
use landmarc_testkit::message::Message;

/// All that judging a message depends on: two of one recipe are judged alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Recipe {
    pub(super) client: IpAddr,
    /// The domain of MAIL FROM.
    pub(super) mail_from: Rc<str>,
    /// The domain of From.
    pub(super) author: Rc<str>,
    /// What happens to it on its way, in order.
    pub(super) steps: Vec<Step>,
}

/// What a host on the way does to a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Signs it as it is now: `d=`, `s=`.
    Sign(Rc<str>, &'static str),
    /// Seals it for this author as the next ARC hop: `d=`.
    Seal(Rc<str>),
    /// Puts a field on top.
    Field(&'static str, String),
    /// Changes the Subject, as lists do.
    NewSubject,
    /// Changes the body, as lists and virus scanners do.
    NewBody,
    /// Takes all signatures away.
    Strip,
}

impl Recipe {
    pub(super) fn message(&self) -> Message {
        let mut message = Message::new();
        message.append(b"From", format!(" someone@{}", self.author).as_bytes());
        message.append(b"Subject", b" Minutes");
        for step in &self.steps {
            self.take(step, &mut message);
        }
        message
    }

    fn take(&self, step: &Step, message: &mut Message) {
        match step {
            Step::Sign(domain, selector) => {
                let has_list = message.headers().named("List-Id").next().is_some();
                message.sign(domain, selector, has_list.then_some("List-Id"));
            }
            Step::Seal(domain) => {
                let claim = format!("mx.{domain}; dmarc=pass header.from={}", self.author);
                message.seal(domain, "s1", &claim, &["From", "Subject"]);
            }
            Step::Field(name, value) => message.put_on_top(name.as_bytes(), format!(" {value}").as_bytes()),
            Step::NewSubject => {
                message.remove("Subject");
                message.append(b"Subject", b" [list] Minutes");
            }
            Step::NewBody => message.body.extend_from_slice(b"-- \r\nA footer.\r\n"),
            Step::Strip => message.remove("DKIM-Signature"),
        }
    }

    pub(super) fn envelope(&self) -> Envelope {
        Envelope {
            client: Some(self.client),
            helo: format!("mx.{}", self.mail_from).into_bytes(),
            mail_from: ReversePath::new(format!("<bounce@{}>", self.mail_from).as_bytes()),
            ..Envelope::default()
        }
    }
}
