//! One connection to the relay, from its greeting to its last letter.
//!
//! EHLO, AUTH and the reading of replies are `mail-send`'s. Its own way through a letter
//! is not taken: it knows no pipelining, forgets which command was refused, and holds the
//! whole text of a letter in one piece.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_send::{Credentials, SmtpClient};
use smtp_proto::{EXT_PIPELINING, EXT_SIZE, EXT_START_TLS, EhloResponse};
use tokio::io::AsyncWriteExt;
use tokio::time::{Duration, Instant, timeout};

use super::limits;
use super::reply::{self, Broken, Clock, Reply, Unhappy};
use super::tls::Encryption;
use super::wire::{Stream, Wire};
use crate::outcome::{Failure, Stage};
use crate::{Login, Tls};

/// What is agreed with the relay on each connection.
pub(super) struct Terms {
    /// The argument of EHLO.
    pub(super) hello: String,
    pub(super) mode: Tls,
    /// There, unless the mode is [`Tls::None`].
    pub(super) encryption: Option<Encryption>,
    pub(super) login: Option<Login>,
}

/// A connection that is ready for a letter.
pub(super) struct Session {
    client: SmtpClient<Wire>,
    /// What the relay can do besides (RFC 2920).
    pub(super) pipelining: bool,
    /// Whether it wants to know the size of a letter (RFC 1870).
    pub(super) announces_size: bool,
    /// Octets of the longest letter it takes, if it has said so.
    pub(super) longest: Option<usize>,
    /// A transaction was begun and not ended: RSET goes before the next (RFC 5321 §4.1.1.5).
    pub(super) is_unfinished: bool,
    /// Whether another letter can follow.
    pub(super) is_usable: bool,
    /// Letters so far, whatever came of them.
    pub(super) letters: usize,
    pub(super) last_used: Instant,
}

impl Session {
    /// Greets the relay, encrypts and signs in, as the terms say. Whatever goes wrong here
    /// goes wrong for every letter.
    pub(super) async fn open(
        stream: Box<dyn Stream>,
        is_loopback: bool,
        terms: &Terms,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let mut is_encrypted = false;
        let stream = match (&terms.encryption, terms.mode) {
            (Some(encryption), Tls::Implicit) => {
                is_encrypted = true;
                encrypt(encryption, stream, Stage::Greeting, clock).await?
            }
            _ => stream,
        };
        let mut client = client(stream);
        let greeting = reply::read(&mut client, clock.limit(limits::GREETING)).await;
        match greeting {
            Ok(reply) if reply.is_positive() => {}
            Ok(reply) => return Err(reply.into_failure(Stage::Greeting)),
            Err(broken) => return Err(broken.into_failure(Stage::Greeting)),
        }
        let mut offers = ask_offers(&mut client, &terms.hello, clock).await?;
        if let (Some(encryption), false) = (&terms.encryption, is_encrypted) {
            if offers.has_capability(EXT_START_TLS) {
                client = start_tls(client, encryption, clock).await?;
                // RFC 3207 §4.2: what was said before counts for nothing now.
                offers = ask_offers(&mut client, &terms.hello, clock).await?;
                is_encrypted = true;
            } else if terms.mode == Tls::Required {
                let words = "the relay does not offer STARTTLS, without which nothing is sent";
                return Err(Failure::new(Stage::StartTls, words));
            }
        }
        if let Some(login) = &terms.login {
            if !is_encrypted && !is_loopback {
                let words = "the connection is not encrypted, so the password is not sent";
                return Err(Failure::new(Stage::Auth, words));
            }
            sign_in(&mut client, login, &offers, clock).await?;
        }
        Ok(Self {
            client,
            pipelining: offers.has_capability(EXT_PIPELINING),
            // RFC 1870 §3: without a number, or with 0, there is no fixed limit.
            announces_size: offers.has_capability(EXT_SIZE),
            longest: Some(offers.size).filter(|&octets| octets > 0),
            is_unfinished: false,
            is_usable: true,
            letters: 0,
            last_used: Instant::now(),
        })
    }

    /// Hands octets to the connection.
    pub(super) async fn write(&mut self, octets: &[u8], limit: Duration) -> Result<(), Broken> {
        let stream = &mut self.client.stream;
        let written = async {
            stream.write_all(octets).await?;
            stream.flush().await
        };
        match timeout(limit, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Broken::Closed(format!("the connection failed: {error}"))),
            Err(_) => Err(Broken::Silence(limit)),
        }
    }

    /// The next reply.
    pub(super) async fn read(&mut self, limit: Duration) -> Result<Reply, Broken> {
        reply::read(&mut self.client, limit).await
    }

    /// Takes leave. RFC 5321 §4.1.1.10: QUIT, and the connection is not closed before the
    /// answer; but nobody waits long for that.
    pub(super) async fn quit(mut self) {
        let written = self.write(b"QUIT\r\n", limits::LAST_WORD).await;
        if written.is_ok() {
            // Whatever the answer is, this was all.
            let _ = self.read(limits::LAST_WORD).await;
        }
    }
}

/// SMTP over an open connection.
fn client(stream: Box<dyn Stream>) -> SmtpClient<Wire> {
    SmtpClient {
        stream: Wire::new(stream),
        // Set anew for each step that `mail-send` takes.
        timeout: limits::GREETING,
    }
}

async fn ask_offers(
    client: &mut SmtpClient<Wire>,
    hello: &str,
    clock: Clock,
) -> Result<EhloResponse<String>, Failure> {
    let limit = clock.limit(limits::GREETING);
    client.timeout = limit;
    client.stream.expect_reply();
    let asked = client.ehlo(hello).await;
    asked.map_err(|error| reply::unhappy(error, &client.stream, limit).into_failure(Stage::Hello))
}

async fn start_tls(
    mut client: SmtpClient<Wire>,
    encryption: &Encryption,
    clock: Clock,
) -> Result<SmtpClient<Wire>, Failure> {
    let limit = clock.limit(limits::HANDSHAKE);
    client.timeout = limit;
    client.stream.expect_reply();
    let answer = client.cmd("STARTTLS\r\n").await;
    let refused = match answer {
        Ok(response) if response.code == 220 => None,
        Ok(response) => Some(mail_send::Error::UnexpectedReply(response)),
        Err(error) => Some(error),
    };
    if let Some(error) = refused {
        // Offered and refused is no "not offered": the letter does not go unencrypted.
        return Err(reply::unhappy(error, &client.stream, limit).into_failure(Stage::StartTls));
    }
    let encrypted = encrypt(encryption, client.stream.into_stream(), Stage::StartTls, clock).await?;
    Ok(self::client(encrypted))
}

async fn encrypt(
    encryption: &Encryption,
    stream: Box<dyn Stream>,
    stage: Stage,
    clock: Clock,
) -> Result<Box<dyn Stream>, Failure> {
    let limit = clock.limit(limits::HANDSHAKE);
    match timeout(limit, encryption.encrypt(stream)).await {
        Ok(Ok(encrypted)) => Ok(encrypted),
        Ok(Err(words)) => Err(Failure::new(stage, &words)),
        Err(_) => Err(Broken::Silence(limit).into_failure(stage)),
    }
}

async fn sign_in(
    client: &mut SmtpClient<Wire>,
    login: &Login,
    offers: &EhloResponse<String>,
    clock: Clock,
) -> Result<(), Failure> {
    let limit = clock.limit(limits::AUTH);
    client.timeout = limit;
    client.stream.expect_reply();
    let credentials = Credentials::new(login.user.as_str(), login.password.reveal());
    // Each answer has its limit inside, and all of them together this one.
    let unhappy = match timeout(limit, client.authenticate(&credentials, offers)).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => reply::unhappy(error, &client.stream, limit),
        Err(_) => Unhappy::Broken(Broken::Silence(limit)),
    };
    Err(without_password(unhappy.into_failure(Stage::Auth), login))
}

/// Takes the words away if a relay repeats the password in them.
fn without_password(mut failure: Failure, login: &Login) -> Failure {
    let password = login.password.reveal();
    let plain = format!("\0{}\0{password}", login.user);
    let forms = [
        password.to_owned(),
        STANDARD.encode(password),
        STANDARD.encode(plain),
    ];
    let is_repeated = |form: &String| !form.is_empty() && failure.words.contains(form);
    if forms.iter().any(is_repeated) {
        failure.words = "an answer with the password in it".to_owned();
    }
    failure
}
