//! Spool files as Exim writes them, and what somebody else may have put there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::request::MessageId;
use super::*;

const ID: &str = "1pDJ4z-0007Kd-2B";

/// A spool of our own; gone when the test is.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!(
            "landmarc-interfaces-spool-{}-{number}",
            std::process::id()
        ));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, octets: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, octets).unwrap();
    }

    fn spool(&self) -> EximSpool {
        EximSpool::new(&self.0)
    }

    fn body(&self, request: &EximRequest) -> Result<String, String> {
        let found = text(self.spool().body(request));
        found.map_err(|error| error.replace(&*self.0.to_string_lossy(), "SPOOL"))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // It lies in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(spooled: Result<Spooled, SpoolError>) -> Result<String, String> {
    let mut spooled = spooled.map_err(|error| error.to_string())?;
    let mut text = String::new();
    spooled.reader.read_to_string(&mut text).unwrap();
    assert_eq!(u64::try_from(text.len()).unwrap(), spooled.octets);
    Ok(text)
}

fn request(body_size: u64) -> EximRequest {
    let mut request = EximRequest::default();
    request.id = MessageId::parse(ID);
    request.body_size = Some(body_size);
    request
}

fn of_queue(queue: &str) -> EximRequest {
    let mut request = request(6);
    request.queue = Some(queue.to_owned());
    request
}

#[test]
fn bodies_are_found_in_every_layout() {
    for name in [format!("input/{ID}-D"), format!("input/z/{ID}-D")] {
        let home = Home::new();
        home.write(&name, format!("{ID}-D\nhello\n").as_bytes());
        assert_eq!(home.body(&request(6)), Ok("hello\n".to_owned()), "{name}");
        let missing = home.body(&of_queue("bulk")).unwrap_err();
        assert!(
            missing.starts_with(&format!("there is no {ID}-D in ")),
            "{missing}"
        );
    }
    let home = Home::new();
    home.write(
        &format!("bulk/input/z/{ID}-D"),
        format!("{ID}-D\nhello\n").as_bytes(),
    );
    assert_eq!(home.body(&of_queue("bulk")), Ok("hello\n".to_owned()));
}

#[test]
fn what_is_not_as_exim_writes_it_is_not_read() {
    for (octets, why) in [
        (&b"hello\n"[..], "its first lines are others"),
        (b"", "its first lines are others"),
        (b"1pDJ4z-0007Kd-2B-D", "its first lines are others"),
        (
            b"1pDJ4z-0007Kd-2B-D\nhell\n",
            "it has not the size that Exim says",
        ),
        (
            b"1pDJ4z-0007Kd-2B-D\nhello!\n",
            "it has not the size that Exim says",
        ),
    ] {
        let home = Home::new();
        home.write(&format!("input/{ID}-D"), octets);
        let told = home.body(&request(6)).unwrap_err();
        assert!(told.ends_with(why), "{told}");
    }
}

#[test]
fn links_lead_nowhere() {
    let home = Home::new();
    home.write("elsewhere/z/x", format!("{ID}-D\nhello\n").as_bytes());
    fs::create_dir_all(home.0.join("input")).unwrap();
    let file = home.0.join(format!("input/{ID}-D"));
    symlink(home.0.join("elsewhere/z/x"), &file).unwrap();
    insta::assert_snapshot!(
        home.body(&request(6)).unwrap_err(),
        @"SPOOL/input/1pDJ4z-0007Kd-2B-D is not what Exim writes: it is a symbolic link, or no directory"
    );

    symlink(home.0.join("elsewhere/z"), home.0.join("input/z")).unwrap();
    insta::assert_snapshot!(
        home.body(&request(6)).unwrap_err(),
        @"SPOOL/input/z is not what Exim writes: it is a symbolic link, or no directory"
    );

    // The spool itself may be one.
    let home = Home::new();
    home.write(
        &format!("real/input/{ID}-D"),
        format!("{ID}-D\nhello\n").as_bytes(),
    );
    symlink(home.0.join("real"), home.0.join("spool")).unwrap();
    assert!(EximSpool::new(home.0.join("spool")).body(&request(6)).is_ok());
}

#[test]
fn only_plain_files_of_exim_are_read() {
    let home = Home::new();
    let file = format!("input/{ID}-D");
    home.write(&format!("{file}/x"), b"");
    insta::assert_snapshot!(
        home.body(&request(6)).unwrap_err(),
        @"SPOOL/input/1pDJ4z-0007Kd-2B-D is not what Exim writes: it is no plain file"
    );

    let home = Home::new();
    fs::create_dir_all(home.0.join("input")).unwrap();
    nix::unistd::mkfifo(&home.0.join(&file), Mode::from_bits_truncate(0o600)).unwrap();
    insta::assert_snapshot!(
        home.body(&request(6)).unwrap_err(),
        @"SPOOL/input/1pDJ4z-0007Kd-2B-D is not what Exim writes: it is no plain file"
    );

    if nix::unistd::geteuid().is_root() {
        let home = Home::new();
        home.write(&file, format!("{ID}-D\nhello\n").as_bytes());
        std::os::unix::fs::chown(home.0.join(&file), Some(1), None).unwrap();
        insta::assert_snapshot!(
            home.body(&request(6)).unwrap_err(),
            @"SPOOL/input/1pDJ4z-0007Kd-2B-D is not what Exim writes: it belongs to somebody else"
        );
    } else {
        let home = Home::new();
        home.write(&file, b"");
        fs::set_permissions(home.0.join("input"), fs::Permissions::from_mode(0o000)).unwrap();
        let error = home.spool().body(&request(6)).unwrap_err();
        assert!(error.remedy().contains("Debian-exim"), "{error}");
        fs::set_permissions(home.0.join("input"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn without_a_name_there_is_no_file() {
    let home = Home::new();
    let nameless = EximRequest::default();
    insta::assert_snapshot!(home.body(&nameless).unwrap_err(), @"the request names no message");
    assert!(matches!(home.spool().scanned(&nameless), Err(SpoolError::NoId)));
    assert!(matches!(
        EximSpool::new("").body(&request(6)),
        Err(SpoolError::Off)
    ));
    assert!(matches!(
        EximSpool::new("/nonexistent").body(&request(6)),
        Err(SpoolError::Missing { .. })
    ));
}

#[test]
fn messages_for_content_scanners_are_read_behind_their_envelope() {
    let home = Home::new();
    assert!(matches!(home.spool().scanned(&request(0)), Ok(None)));
    let name = format!("scan/{ID}/{ID}.eml");
    let preamble = "From a@b Sat Nov 21 00:05:53 2026\nX-Envelope-From: <a@b>\nX-Envelope-To: c@d\n";
    home.write(
        &name,
        format!("{preamble}Received: x\nX-Envelope-To: theirs\n\nhello\n").as_bytes(),
    );
    let found = home.spool().scanned(&request(0)).unwrap().unwrap();
    assert_eq!(
        text(Ok(found)),
        Ok("Received: x\nX-Envelope-To: theirs\n\nhello\n".to_owned())
    );

    home.write(&name, b"Received: x\n\nhello\n");
    assert!(matches!(
        home.spool().scanned(&request(0)),
        Err(SpoolError::Strange { .. })
    ));
}

#[test]
fn lines_above_a_message_have_a_limit() {
    let home = Home::new();
    let name = format!("scan/{ID}/{ID}.eml");
    let of = |octets: u64| {
        let recipients = "x".repeat(usize::try_from(octets).unwrap() - "X-Envelope-To: \n".len());
        home.write(
            &name,
            format!("From a\nX-Envelope-From: <a@b>\nX-Envelope-To: {recipients}\nA: b\n\n").as_bytes(),
        );
        home.spool().scanned(&request(0))
    };
    assert!(of(LINE_LIMIT).is_ok());
    assert!(of(LINE_LIMIT + 1).is_err());
}
