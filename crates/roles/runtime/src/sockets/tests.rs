//! The sockets as the settings are checked.

use crate::load;

fn mistakes(text: &str) -> String {
    match load::read("f", text.as_bytes(), None) {
        Err(load::LoadError::Mistakes(lines)) => lines,
        other => panic!("{other:?}"),
    }
}

fn warnings(text: &str) -> Vec<String> {
    load::read("f", text.as_bytes(), None).unwrap().warnings
}

#[test]
fn no_socket_is_there_twice_whichever_interface_it_is_of() {
    let told = mistakes(
        "milter.listen = [\"inet:127.0.0.1:1\"]\n[check_api]\nlisten = [\"inet:1@127.0.0.1\", \"x\"]\n\
         [exim]\nlisten = [\"/run/x\", \"unix:/run/x\"]\n",
    );
    let lines: Vec<_> = told.lines().collect();
    assert!(
        lines[0].starts_with("f:3:11: check_api.listen: inet:1@127.0.0.1 is there twice"),
        "{told}"
    );
    assert!(lines[1].starts_with("f:3:"), "{told}");
    assert!(
        lines[1].contains("check_api.listen: \"x\" is no socket"),
        "{told}"
    );
    assert!(
        lines[2].contains("exim.listen: unix:/run/x is there twice"),
        "{told}"
    );
    let any_port = "check_api.listen = [\"inet:127.0.0.1:0\", \"inet:127.0.0.1:0\"]\n";
    assert_eq!(warnings(any_port).len(), 0);
}

#[test]
fn a_group_that_is_not_there_is_told_by_the_check() {
    for table in ["check_api", "exim"] {
        let told = mistakes(&format!("{table}.socket_group = \"no such group\"\n"));
        let why = format!("{table}.socket_group: there is no group \"no such group\"");
        assert!(told.contains(&why), "{told}");
    }
}

#[test]
fn a_socket_for_the_world_is_warned_about_unless_there_is_a_secret() {
    let open = "check_api.listen = [\"inet:0.0.0.0:1\", \"inet:127.0.0.1:2\", \"/run/x\"]\n";
    assert_eq!(
        warnings(open),
        ["f: check_api.listen: warning: inet:0.0.0.0:1 lets every host that reaches it have messages judged"]
    );
    let file = std::env::temp_dir().join(format!("landmarc-sockets-{}", std::process::id()));
    std::fs::write(&file, "s3cret").unwrap();
    let of_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, of_owner).unwrap();
    let closed = format!("{open}check_api.secret_file = {:?}\n", file.display().to_string());
    assert_eq!(warnings(&closed).len(), 0);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(warnings("exim.listen = [\"inet:192.0.2.1:1\"]\n").len(), 1);
}

#[test]
fn a_door_that_is_shut_takes_no_descriptors() {
    let of = |text: &str| super::descriptors(&landmarc_settings::read(text).unwrap().0);
    assert_eq!(of(""), 0);
    assert_eq!(
        of("check_api.listen = [\"/run/x\"]\ncheck_api.max_connections = 10\n"),
        11
    );
    assert!(of("exim.listen = [\"/run/x\"]\n") > 256);
}
