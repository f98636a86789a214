//! One connection to the relay, from its greeting to its last message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_PIPELINING, EXT_SIZE, EXT_START_TLS, EhloResponse};
use tokio::time::{Duration, Instant, timeout};

use super::connection::{ByteStream, SmtpConnection};
use super::limits;
use super::reply::{Deadline, NoReply, ReplyError, SmtpReply};
use super::tls::Encryption;
use crate::outcome::{DeliveryFailure, DeliveryStage};
use crate::{RelayLogin, TlsMode};

/// Challenges of one AUTH that are answered: LOGIN has two.
const MAX_CHALLENGES: usize = 2;

/// What is agreed with the relay on each connection.
pub(super) struct SessionTerms {
    /// The argument of EHLO.
    pub(super) hello: String,
    pub(super) mode: TlsMode,
    /// There, unless the mode is [`TlsMode::None`].
    pub(super) encryption: Option<Encryption>,
    pub(super) login: Option<RelayLogin>,
}

/// A connection that is ready for a message.
pub(super) struct SmtpSession {
    pub(super) connection: SmtpConnection,
    /// What the relay can do besides (RFC 2920).
    pub(super) pipelining: bool,
    /// Whether it wants to know the size of a message (RFC 1870).
    pub(super) announces_size: bool,
    /// Octets of the longest message it takes, if it has said so.
    pub(super) longest: Option<usize>,
    /// A transaction was begun and not ended: RSET goes before the next (RFC 5321 §4.1.1.5).
    pub(super) is_unfinished: bool,
    /// Whether another message can follow.
    pub(super) is_usable: bool,
    /// Messages so far, whatever came of them.
    pub(super) messages: usize,
    pub(super) last_used: Instant,
}

impl SmtpSession {
    /// Greets the relay, encrypts and signs in, as the terms say. Whatever goes wrong here
    /// goes wrong for every message.
    pub(super) async fn open(
        stream: Box<dyn ByteStream>,
        is_loopback: bool,
        terms: &SessionTerms,
        clock: Deadline,
    ) -> Result<Self, DeliveryFailure> {
        let mut is_encrypted = false;
        let stream = match (&terms.encryption, terms.mode) {
            (Some(encryption), TlsMode::Implicit) => {
                is_encrypted = true;
                encrypt(encryption, stream, DeliveryStage::Greeting, clock).await?
            }
            _ => stream,
        };
        let mut connection = SmtpConnection::new(stream);
        let greeting = connection.read(clock.limit(limits::GREETING)).await;
        match greeting {
            Ok(reply) if reply.is_positive() => {}
            Ok(reply) => return Err(reply.into_failure(DeliveryStage::Greeting)),
            Err(broken) => return Err(broken.into_failure(DeliveryStage::Greeting)),
        }
        let mut offers = ask_offers(&mut connection, &terms.hello, clock).await?;
        if let (Some(encryption), false) = (&terms.encryption, is_encrypted) {
            if offers.has_capability(EXT_START_TLS) {
                connection = start_tls(connection, encryption, clock).await?;
                // RFC 3207 §4.2: what was said before counts for nothing now.
                offers = ask_offers(&mut connection, &terms.hello, clock).await?;
                is_encrypted = true;
            } else if terms.mode == TlsMode::Required {
                let words = "the relay does not offer STARTTLS, without which nothing is sent";
                return Err(DeliveryFailure::new(DeliveryStage::StartTls, words));
            }
        }
        if let Some(login) = &terms.login {
            if !is_encrypted && !is_loopback {
                let words = "the connection is not encrypted, so the password is not sent";
                return Err(DeliveryFailure::new(DeliveryStage::Auth, words));
            }
            sign_in(&mut connection, login, &offers, clock).await?;
        }
        Ok(Self {
            connection,
            pipelining: offers.has_capability(EXT_PIPELINING),
            // RFC 1870 §3: without a number, or with 0, there is no fixed limit.
            announces_size: offers.has_capability(EXT_SIZE),
            longest: Some(offers.size).filter(|&octets| octets > 0),
            is_unfinished: false,
            is_usable: true,
            messages: 0,
            last_used: Instant::now(),
        })
    }

    /// Takes leave. RFC 5321 §4.1.1.10: QUIT, and the connection is not closed before the
    /// answer; but nobody waits long for that.
    pub(super) async fn quit(mut self) {
        // Whatever the answer is, this was all.
        let _ = self.connection.command("QUIT\r\n", limits::LAST_WORD).await;
    }
}

/// Sends EHLO and reads what the relay offers.
async fn ask_offers(
    connection: &mut SmtpConnection,
    hello: &str,
    clock: Deadline,
) -> Result<EhloResponse<String>, DeliveryFailure> {
    let limit = clock.limit(limits::GREETING);
    let answered = async {
        connection
            .write(format!("EHLO {hello}\r\n").as_bytes(), limit)
            .await?;
        let reply = connection.read_octets(limit).await?;
        EhloResponse::parse(&mut reply.iter()).or_else(|_| match SmtpReply::parse(&reply)? {
            refusal if refusal.code != 250 => Err(ReplyError::Refused(refusal)),
            _ => Err(NoReply::garbage(&reply).into()),
        })
    };
    answered
        .await
        .map_err(|error| error.into_failure(DeliveryStage::Hello))
}

async fn start_tls(
    mut connection: SmtpConnection,
    encryption: &Encryption,
    clock: Deadline,
) -> Result<SmtpConnection, DeliveryFailure> {
    let answer = connection
        .command("STARTTLS\r\n", clock.limit(limits::HANDSHAKE))
        .await;
    match answer {
        Ok(reply) if reply.code == 220 => {}
        // Offered and refused is no "not offered": the message does not go unencrypted.
        Ok(reply) => return Err(reply.into_failure(DeliveryStage::StartTls)),
        Err(broken) => return Err(broken.into_failure(DeliveryStage::StartTls)),
    }
    let encrypted = encrypt(
        encryption,
        connection.into_stream(),
        DeliveryStage::StartTls,
        clock,
    )
    .await?;
    Ok(SmtpConnection::new(encrypted))
}

async fn encrypt(
    encryption: &Encryption,
    stream: Box<dyn ByteStream>,
    stage: DeliveryStage,
    clock: Deadline,
) -> Result<Box<dyn ByteStream>, DeliveryFailure> {
    let limit = clock.limit(limits::HANDSHAKE);
    match timeout(limit, encryption.encrypt(stream)).await {
        Ok(Ok(encrypted)) => Ok(encrypted),
        Ok(Err(words)) => Err(DeliveryFailure::new(stage, &words)),
        Err(_) => Err(NoReply::Silence(limit).into_failure(stage)),
    }
}

/// Signs in by AUTH PLAIN, else by AUTH LOGIN.
async fn sign_in(
    connection: &mut SmtpConnection,
    login: &RelayLogin,
    offers: &EhloResponse<String>,
    clock: Deadline,
) -> Result<(), DeliveryFailure> {
    let limit = clock.limit(limits::AUTH);
    // Each answer has its limit inside, and all of them together this one.
    let signed_in = timeout(limit, auth_by_any(connection, login, offers, limit)).await;
    let signed_in = signed_in.unwrap_or(Err(NoReply::Silence(limit).into()));
    signed_in.map_err(|error| without_password(error.into_failure(DeliveryStage::Auth), login))
}

async fn auth_by_any(
    connection: &mut SmtpConnection,
    login: &RelayLogin,
    offers: &EhloResponse<String>,
    limit: Duration,
) -> Result<(), ReplyError> {
    let none = "the relay offers neither AUTH PLAIN nor AUTH LOGIN";
    let mut refusal = ReplyError::Broken(NoReply::Garbage(none.to_owned()));
    for mechanism in [AUTH_PLAIN, AUTH_LOGIN] {
        if offers.auth_mechanisms & mechanism == 0 {
            continue;
        }
        match auth(connection, login, mechanism, limit).await {
            // It may take the other one; but not other credentials (RFC 4954 §6).
            Err(ReplyError::Refused(reply)) if reply.code != 535 => refusal = ReplyError::Refused(reply),
            ended => return ended,
        }
    }
    Err(refusal)
}

/// One exchange of AUTH (RFC 4954 §4).
async fn auth(
    connection: &mut SmtpConnection,
    login: &RelayLogin,
    mechanism: u64,
    limit: Duration,
) -> Result<(), ReplyError> {
    let plain = format!("\0{}\0{}", login.user, login.password.reveal());
    let command = match mechanism {
        AUTH_PLAIN => format!("AUTH PLAIN {}\r\n", STANDARD.encode(&plain)),
        _ => "AUTH LOGIN\r\n".to_owned(),
    };
    let mut reply = connection.command(&command, limit).await?;
    for _ in 0..MAX_CHALLENGES {
        if reply.code != 334 {
            break;
        }
        let answer = match mechanism {
            AUTH_PLAIN => &plain,
            _ => answer(&reply, login)?,
        };
        let line = format!("{}\r\n", STANDARD.encode(answer));
        reply = connection.command(&line, limit).await?;
    }
    match reply.code {
        235 => Ok(()),
        _ => Err(ReplyError::Refused(reply)),
    }
}

/// What a challenge of AUTH LOGIN asks for: `Username:` or `Password:` in base64.
fn answer<'a>(challenge: &SmtpReply, login: &'a RelayLogin) -> Result<&'a str, NoReply> {
    let text = challenge.words.strip_prefix("334").unwrap_or_default().trim();
    let asked = STANDARD.decode(text).unwrap_or_default().to_ascii_lowercase();
    if asked.starts_with(b"username") || asked.starts_with(b"user name") {
        Ok(&login.user)
    } else if asked.starts_with(b"password") {
        Ok(login.password.reveal())
    } else {
        let words = "a challenge that asks for neither name nor password";
        Err(NoReply::Garbage(words.to_owned()))
    }
}

/// Takes the words away if a relay repeats the password in them.
fn without_password(mut failure: DeliveryFailure, login: &RelayLogin) -> DeliveryFailure {
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
