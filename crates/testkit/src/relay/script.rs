//! How a relay behaves: what it offers, and what it does wrong.

use std::time::Duration;

/// How a relay behaves.
#[derive(Clone, Debug)]
pub struct Script {
    /// Offers PIPELINING. It takes pipelined commands in any case.
    pub pipelining: bool,
    /// Offers SIZE with that limit, 0 for none, and refuses what is longer.
    pub size: Option<usize>,
    /// What it does about TLS.
    pub tls: Tls,
    /// Takes messages only after AUTH.
    pub login: Option<Login>,
    /// What it does wrong; of several at one point the first that applies.
    pub faults: Vec<Fault>,
}

impl Default for Script {
    /// One that does nothing wrong: PIPELINING, SIZE without a limit, no TLS, no AUTH.
    fn default() -> Self {
        Self {
            pipelining: true,
            size: Some(0),
            tls: Tls::None,
            login: None,
            faults: Vec::new(),
        }
    }
}

impl Script {
    /// One that does this wrong, and nothing else.
    #[must_use]
    pub fn with(fault: Fault) -> Self {
        Self {
            faults: vec![fault],
            ..Self::default()
        }
    }
}

/// What a relay does about TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Nothing.
    None,
    /// Offers STARTTLS.
    StartTls(Certificate),
    /// Speaks it from the first octet on.
    Implicit(Certificate),
    /// Offers STARTTLS and answers it with 454.
    Refused,
    /// Offers STARTTLS, agrees to it, and speaks no TLS.
    Broken,
    /// Offers STARTTLS; with the answer comes, still in the clear, one to the next EHLO,
    /// as if someone on the way had put it there.
    Injecting(Certificate),
}

/// Which certificate it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Of `localhost`, `relay.example`, 127.0.0.1 and ::1.
    Good,
    /// Of `other.example`.
    OtherName,
}

/// Who may send messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
    /// What AUTH is offered with: `PLAIN LOGIN`.
    pub mechanisms: &'static str,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: At,
    /// What.
    pub what: What,
    /// Only for recipients with this in them. Before RCPT there is no recipient, and only
    /// a fault for all of them applies.
    pub recipient: String,
    /// So many times first it goes well.
    pub skip: usize,
    /// Then it goes wrong so many times; none for ever.
    pub times: Option<usize>,
}

impl Fault {
    /// It goes wrong each time, for each recipient.
    #[must_use]
    pub fn new(at: At, what: What) -> Self {
        Self {
            at,
            what,
            recipient: String::new(),
            skip: 0,
            times: None,
        }
    }

    /// As [`new`](Self::new): it says this. Without CRLF at the end.
    #[must_use]
    pub fn say(at: At, reply: &str) -> Self {
        Self::new(at, What::Say(reply.to_owned()))
    }

    /// Only for recipients with this in them.
    #[must_use]
    pub fn to(mut self, recipient: &str) -> Self {
        recipient.clone_into(&mut self.recipient);
        self
    }

    /// So many times first it goes well.
    #[must_use]
    pub fn skipping(mut self, times: usize) -> Self {
        self.skip = times;
        self
    }

    /// It goes wrong so many times.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }
}

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before anything is said.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH, at its end.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// In the text, after so many octets or a few more.
    Text(usize),
    /// After the final dot.
    EndOfData,
    /// RSET.
    Reset,
    /// QUIT.
    Quit,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// This is said in place of what should be. Without CRLF at the end.
    Say(String),
    /// The connection ends without a word.
    Drop,
    /// At the end of data: the message is taken, and the connection ends before that is said.
    TakeAndDrop,
    /// This is said, and the connection ends.
    SayAndDrop(String),
    /// What should be said is said, and the connection ends.
    AnswerAndDrop,
    /// Nothing is said, read or closed any more.
    Hang,
    /// What comes is no reply.
    Garbage,
    /// A reply with one more line, and one more, and one more.
    EndlessLines,
    /// A line that does not end.
    EndlessLine,
    /// What should be said is said so much later, by the clock of the runtime.
    Slow(Duration),
}
