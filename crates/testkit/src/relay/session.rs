//! One connection to the scripted relay.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tls::{self, Stream};
use super::{At, Command, RelayedMessage, State, Tls, What};

/// Octets of a command line; and of a text, a thousand times as much.
const LINE_OCTETS: usize = 64 * 1024;

/// Plays the relay over one connection, until the client or the script ends it.
pub async fn serve(stream: impl Stream + 'static, state: &State) {
    let mut number = 0;
    state.note(|log| {
        log.connections += 1;
        number = log.connections;
    });
    let mut session = Session {
        state,
        stream: Box::new(stream),
        buffer: Vec::new(),
        number,
        is_tls: false,
        user: None,
        envelope: None,
    };
    // How it ended is seen by the client, or was asked for.
    let _ = session.talk().await;
}

struct Session<'a> {
    state: &'a State,
    stream: Box<dyn Stream>,
    /// Read and not looked at yet.
    buffer: Vec<u8>,
    number: usize,
    is_tls: bool,
    user: Option<String>,
    envelope: Option<Envelope>,
}

#[derive(Default)]
struct Envelope {
    mail_from: String,
    parameters: String,
    rcpt_to: Vec<String>,
}

/// What follows an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// What was asked for is done.
    Done,
    /// It is done, and nobody is told.
    DoneAndGone,
    /// It is done, and this was the last word.
    DoneAndOver,
    /// It is not done.
    Refused,
}

impl Session<'_> {
    async fn talk(&mut self) -> io::Result<()> {
        if let Tls::Implicit(certificate) = self.state.script().tls {
            self.encrypt(certificate).await?;
        }
        self.answer(At::Greeting, "220 relay.example ESMTP").await?;
        loop {
            let line = self.read_line().await?;
            let command = Command {
                connection: self.number,
                line: line.clone(),
                pipelined: !self.buffer.is_empty(),
                tls: self.is_tls,
            };
            self.state.note(|log| log.commands.push(command));
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            match &*verb.to_ascii_uppercase() {
                "EHLO" => self.hello().await?,
                "STARTTLS" => self.start_tls().await?,
                "AUTH" => self.auth(argument).await?,
                "MAIL" => self.mail(argument).await?,
                "RCPT" => self.rcpt(argument).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.envelope = None;
                    self.answer(At::Reset, "250 2.0.0 Ok").await?;
                }
                "QUIT" => {
                    self.answer(At::Quit, "221 2.0.0 Bye").await?;
                    return Ok(());
                }
                _ => self.say("500 5.5.2 what?").await?,
            }
        }
    }

    async fn hello(&mut self) -> io::Result<()> {
        let script = self.state.script();
        let mut lines = vec!["relay.example".to_owned()];
        if script.pipelining {
            lines.push("PIPELINING".to_owned());
        }
        if let Some(size) = script.size {
            lines.push(format!("SIZE {size}"));
        }
        if !self.is_tls && !matches!(script.tls, Tls::None) {
            lines.push("STARTTLS".to_owned());
        }
        if let Some(login) = &script.login {
            lines.push(format!("AUTH {}", login.mechanisms));
        }
        let last = lines.len() - 1;
        let reply = lines.iter().enumerate().map(|(number, line)| {
            let end = if number == last { " " } else { "-" };
            format!("250{end}{line}")
        });
        let reply = reply.collect::<Vec<_>>().join("\r\n");
        self.envelope = None;
        self.answer(At::Hello, &reply).await.map(drop)
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        let certificate = match self.state.script().tls {
            Tls::StartTls(certificate) | Tls::Injecting(certificate) => Some(certificate),
            Tls::Broken => None,
            Tls::None | Tls::Implicit(_) | Tls::Refused => {
                return self.say("454 4.7.0 TLS not available").await;
            }
        };
        if let Tls::Injecting(_) = self.state.script().tls {
            self.say("220 2.0.0 Ready\r\n250-evil.example\r\n250 AUTH LOGIN")
                .await?;
        } else if self.answer(At::StartTls, "220 2.0.0 Ready").await? == Then::Refused {
            return Ok(());
        }
        match certificate {
            Some(certificate) => self.encrypt(certificate).await,
            None => {
                // Said before, it would be part of the answer.
                self.fill(LINE_OCTETS).await?;
                self.say("250 this is no handshake").await?;
                Err(gone())
            }
        }
    }

    async fn encrypt(&mut self, certificate: super::Certificate) -> io::Result<()> {
        let plain: Box<dyn Stream> = Box::new(tokio::io::empty());
        let plain = std::mem::replace(&mut self.stream, plain);
        self.stream = tls::accept(certificate, plain).await?;
        self.buffer.clear();
        self.is_tls = true;
        Ok(())
    }

    async fn auth(&mut self, argument: &str) -> io::Result<()> {
        let Some(login) = self.state.script().login else {
            return self.say("503 5.5.1 no AUTH here").await;
        };
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let (user, password) = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let response = match initial {
                    "" => self.challenge("").await?,
                    given => decode(given),
                };
                let mut parts = response.split('\0').skip(1).map(str::to_owned);
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            "LOGIN" => (
                self.challenge("Username:").await?,
                self.challenge("Password:").await?,
            ),
            _ => return self.say("504 5.5.4 not this way").await,
        };
        if (&user, &password) != (&login.user, &login.password) {
            return self.say("535 5.7.8 Error: authentication failed").await;
        }
        if self
            .answer(At::Auth, "235 2.7.0 Authentication successful")
            .await?
            == Then::Done
        {
            self.user = Some(user);
        }
        Ok(())
    }

    async fn challenge(&mut self, text: &str) -> io::Result<String> {
        self.say(&format!("334 {}", STANDARD.encode(text))).await?;
        Ok(decode(&self.read_line().await?))
    }

    async fn mail(&mut self, argument: &str) -> io::Result<()> {
        let script = self.state.script();
        if script.login.is_some() && self.user.is_none() {
            return self.say("530 5.7.0 Authentication required").await;
        }
        if self.envelope.is_some() {
            return self.say("503 5.5.1 nested MAIL command").await;
        }
        let (mail_from, parameters) = path(argument);
        let size = parameters.split(' ').find_map(|word| word.strip_prefix("SIZE="));
        if is_too_large(size.and_then(|octets| octets.parse().ok()), script.size) {
            return self.say("552 5.3.4 Message size exceeds fixed limit").await;
        }
        if self.answer(At::Mail, "250 2.1.0 Ok").await? == Then::Done {
            self.envelope = Some(Envelope {
                mail_from,
                parameters,
                rcpt_to: Vec::new(),
            });
        }
        Ok(())
    }

    async fn rcpt(&mut self, argument: &str) -> io::Result<()> {
        if self.envelope.is_none() {
            return self.say("503 5.5.1 need MAIL command").await;
        }
        let (recipient, _) = path(argument);
        let then = self.answer_to(At::Rcpt, "250 2.1.5 Ok", std::slice::from_ref(&recipient));
        if then.await? == Then::Done
            && let Some(envelope) = &mut self.envelope
        {
            envelope.rcpt_to.push(recipient);
        }
        Ok(())
    }

    async fn data(&mut self) -> io::Result<()> {
        let recipients = self.envelope.as_ref().map(|envelope| envelope.rcpt_to.clone());
        let recipients = match recipients {
            None => return self.say("503 5.5.1 need MAIL command").await,
            // Unless a fault says otherwise.
            Some(none) if none.is_empty() && self.state.fault(At::Data, &[]).is_none() => {
                return self.say("554 5.5.1 no valid recipients").await;
            }
            Some(recipients) => recipients,
        };
        let go_on = "354 End data with <CR><LF>.<CR><LF>";
        if self.answer_to(At::Data, go_on, &recipients).await? == Then::Refused {
            return Ok(());
        }
        let text = self.read_text(&recipients).await?;
        self.take(text, &recipients).await
    }

    /// What happens after the final dot.
    async fn take(&mut self, text: Vec<u8>, recipients: &[String]) -> io::Result<()> {
        let Some(envelope) = self.envelope.take() else {
            return Ok(());
        };
        let queued = self.state.log().messages.len() + 1;
        let agreed = format!("250 2.0.0 Ok: queued as {queued}");
        let what = if is_too_large(Some(text.len()), self.state.script().size) {
            Some(What::Say("552 5.3.4 Message size exceeds fixed limit".to_owned()))
        } else {
            let fault = self.state.fault(At::EndOfData, recipients);
            fault.map(|fault| fault.what)
        };
        let answered = match &what {
            None | Some(What::AnswerAndDrop | What::Slow(_)) => true,
            Some(What::Say(words) | What::SayAndDrop(words)) => words.starts_with('2'),
            Some(_) => false,
        };
        let message = RelayedMessage {
            connection: self.number,
            mail_from: envelope.mail_from,
            parameters: envelope.parameters,
            rcpt_to: envelope.rcpt_to,
            text,
            tls: self.is_tls,
            user: self.user.clone(),
            taken: answered || what == Some(What::TakeAndDrop),
            answered,
        };
        // Before the answer: who has that finds the message here.
        self.state.note(|log| log.messages.push(message));
        let then = match what {
            None => self.say(&agreed).await.map(|()| Then::Done),
            Some(what) => self.act(what, &agreed).await,
        };
        match then? {
            Then::Done | Then::Refused => Ok(()),
            Then::DoneAndGone | Then::DoneAndOver => Err(gone()),
        }
    }

    /// Reads up to the lone dot, and takes the doubled dots back.
    async fn read_text(&mut self, recipients: &[String]) -> io::Result<Vec<u8>> {
        let mut fault = self.state.fault(At::Text(0), recipients);
        let mut searched = 0;
        loop {
            if let Some(At::Text(octets)) = fault.as_ref().map(|fault| fault.at)
                && self.buffer.len() >= octets
                && let Some(fault) = fault.take()
            {
                self.act(fault.what, "").await?;
            }
            if let Some((text, behind)) = split_text(&self.buffer, searched) {
                self.buffer = behind;
                return Ok(text);
            }
            // What ends a text may be here but for its last line end.
            searched = self.buffer.len().saturating_sub(2);
            self.fill(LINE_OCTETS * 1_000).await?;
        }
    }

    async fn answer(&mut self, at: At, reply: &str) -> io::Result<Then> {
        match self.answer_to(at, reply, &[]).await? {
            Then::DoneAndOver | Then::DoneAndGone => Err(gone()),
            other => Ok(other),
        }
    }

    /// Says this, unless something goes wrong here.
    async fn answer_to(&mut self, at: At, reply: &str, recipients: &[String]) -> io::Result<Then> {
        match self.state.fault(at, recipients) {
            None => self.say(reply).await.map(|()| Then::Done),
            Some(fault) => self.act(fault.what, reply).await,
        }
    }

    async fn act(&mut self, what: What, reply: &str) -> io::Result<Then> {
        match what {
            What::Say(other) => {
                self.say(&other).await?;
                let is_agreed = other.as_bytes().first() == reply.as_bytes().first();
                Ok(if is_agreed { Then::Done } else { Then::Refused })
            }
            What::Drop => Err(gone()),
            What::TakeAndDrop => Ok(Then::DoneAndGone),
            What::SayAndDrop(other) => {
                self.say(&other).await?;
                Err(gone())
            }
            What::AnswerAndDrop => self.say(reply).await.map(|()| Then::DoneAndOver),
            What::Hang => std::future::pending().await,
            What::Garbage => self.say("\u{7}what is this?").await.map(|()| Then::Refused),
            What::EndlessLines => loop {
                self.say("250-and so on").await?;
            },
            What::EndlessLine => {
                self.stream.write_all(b"250 ").await?;
                loop {
                    self.stream.write_all(&[b'x'; 1_024]).await?;
                }
            }
            What::Slow(delay) => {
                tokio::time::sleep(delay).await;
                self.say(reply).await.map(|()| Then::Done)
            }
        }
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.drain(..at + 2).collect::<Vec<_>>();
                let line = line.get(..at).unwrap_or_default();
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
            self.fill(LINE_OCTETS).await?;
        }
    }

    /// Reads some more.
    async fn fill(&mut self, limit: usize) -> io::Result<()> {
        let mut room = [0; 16 * 1024];
        let read = self.stream.read(&mut room).await?;
        if read == 0 || self.buffer.len() > limit {
            return Err(gone());
        }
        self.buffer
            .extend_from_slice(room.get(..read).unwrap_or_default());
        Ok(())
    }
}

/// The text before the lone dot, with its dots as they were; and what is behind. There is
/// no lone dot among the first `searched` octets.
fn split_text(octets: &[u8], searched: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let is_end = |&dot: &usize| {
        let is_line = dot == 0 || octets.get(..dot).is_some_and(|text| text.ends_with(b"\r\n"));
        is_line && octets.get(dot..).is_some_and(|rest| rest.starts_with(b".\r\n"))
    };
    let mut dots = (searched..octets.len()).filter(|&at| octets.get(at) == Some(&b'.'));
    let end = dots.find(is_end)?;
    let behind = octets.get(end + 3..)?.to_vec();
    let mut text = Vec::with_capacity(end);
    for line in octets.get(..end)?.split_inclusive(|&octet| octet == b'\n') {
        text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    Some((text, behind))
}

/// `FROM:<a@b> SIZE=1`: the path and its parameters.
fn path(argument: &str) -> (String, String) {
    let (_, path) = argument.split_once('<').unwrap_or_default();
    let (path, parameters) = path.rsplit_once('>').unwrap_or((path, ""));
    (path.to_owned(), parameters.trim().to_owned())
}

fn is_too_large(octets: Option<usize>, limit: Option<usize>) -> bool {
    let limit = limit.filter(|&limit| limit > 0);
    octets.zip(limit).is_some_and(|(octets, limit)| octets > limit)
}

fn decode(text: &str) -> String {
    let octets = STANDARD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&octets).into_owned()
}

fn gone() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}
