//! Who may depend on whom: the rooms of the house, and what each may bring from outside.
//!
//! Dependencies point inward: `mail`, `auth`, `dmarc`, `receiver`, `report`, in that
//! order. Edges know the core and never each other; only the binary knows everyone.

use crate::Finding;
use crate::source::{Dependency, Package};

/// One package: what it may use, and where that is written down.
struct Room {
    /// The name of the package.
    name: &'static str,
    /// The rooms it may use, by their short names.
    rooms: &'static [&'static str],
    /// The crates of others it may use.
    crates: &'static [&'static str],
}

const PREFIX: &str = "landmarc-";

const ROOMS: &[Room] = &[
    Room {
        name: "landmarc-mail",
        rooms: &[],
        crates: &["idna", "memchr", "thiserror"],
    },
    Room {
        name: "landmarc-auth",
        rooms: &["mail"],
        crates: &["base64", "futures-util", "idna", "memchr", "ring", "thiserror"],
    },
    Room {
        name: "landmarc-dmarc",
        rooms: &["mail", "auth"],
        crates: &["futures-util", "memchr", "psl", "publicsuffix", "thiserror"],
    },
    Room {
        name: "landmarc-receiver",
        rooms: &["mail", "auth", "dmarc"],
        crates: &["futures-util", "memchr", "thiserror"],
    },
    Room {
        name: "landmarc-report",
        rooms: &["mail", "auth", "dmarc", "receiver"],
        crates: &[
            "base64",
            "encoding_rs",
            "flate2",
            "mail-parser",
            "quick-xml",
            "ring",
            "thiserror",
            "zip",
        ],
    },
    Room {
        name: "landmarc-settings",
        rooms: &["mail"],
        crates: &["serde", "thiserror", "toml"],
    },
    Room {
        // Reads what other programs wrote, and gives words. Its tests read the settings that it writes.
        name: "landmarc-migrate",
        rooms: &["mail", "settings"],
        crates: &["serde_json", "thiserror"],
    },
    // Edges.
    Room {
        name: "landmarc-dns",
        rooms: &["mail", "auth"],
        crates: &[
            "futures-util",
            "hickory-proto",
            "hickory-resolver",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
        ],
    },
    Room {
        name: "landmarc-milter",
        rooms: &["mail"],
        crates: &["bytes", "nix", "thiserror", "tokio", "tracing"],
    },
    Room {
        // Knows the frames of two protocols, and nothing of SQL.
        name: "landmarc-guard",
        rooms: &[],
        crates: &[
            "ring",
            "rustls",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "webpki-roots",
        ],
    },
    Room {
        // Takes words and plain values, and so needs no room of the core.
        name: "landmarc-store",
        rooms: &["mail", "guard"],
        crates: &[
            "flate2",
            "futures-util",
            "ring",
            "rusqlite",
            "serde_json",
            "sqlx",
            "thiserror",
            "tokio",
            "tracing",
        ],
    },
    Room {
        name: "landmarc-delivery",
        rooms: &["mail", "auth"],
        crates: &[
            "base64",
            "mail-send",
            "ring",
            "rustls",
            "smtp-proto",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tracing",
        ],
    },
    Room {
        // Is given what to answer, and so needs no other room.
        name: "landmarc-web",
        rooms: &["mail"],
        crates: &["axum", "hyper", "hyper-util", "thiserror", "tokio", "tracing"],
    },
    Room {
        // Carries octets, and knows nothing of what is in them.
        name: "landmarc-push",
        rooms: &["mail"],
        crates: &[
            "bytes",
            "http-body-util",
            "hyper",
            "hyper-util",
            "ring",
            "rustls",
            "rustls-webpki",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tracing",
        ],
    },
    Room {
        name: "landmarc-source",
        rooms: &["mail", "migrate", "guard"],
        crates: &[
            "futures-util",
            "redis",
            "rusqlite",
            "sqlx",
            "thiserror",
            "tokio",
            "tracing",
        ],
    },
    Room {
        // Translates other protocols into the calls of a milter session.
        name: "landmarc-interfaces",
        rooms: &["mail", "milter"],
        crates: &[
            "base64",
            "bytes",
            "http-body-util",
            "hyper",
            "hyper-util",
            "nix",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
        ],
    },
    // Roles.
    Room {
        name: "landmarc-runtime",
        rooms: &[
            "mail", "auth", "dmarc", "receiver", "settings", "migrate", "dns", "milter", "store", "delivery",
        ],
        crates: &["nix", "thiserror", "tokio", "tracing"],
    },
    Room {
        name: "landmarc",
        rooms: &[
            "runtime",
            "mail",
            "auth",
            "dmarc",
            "receiver",
            "report",
            "settings",
            "migrate",
            "dns",
            "milter",
            "store",
            "delivery",
            "web",
            "push",
            "source",
            "interfaces",
        ],
        crates: &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "futures-util",
            "mimalloc",
            "nix",
            "prometheus-client",
            "ring",
            "rsa",
            "sd-notify",
            "serde_json",
            "terminal_size",
            "thiserror",
            "tokio",
            "tracing",
            "tracing-journald",
            "tracing-subscriber",
        ],
    },
    // Never part of the product.
    Room {
        name: "landmarc-testkit",
        rooms: &["mail", "auth", "dns"],
        crates: &[
            "base64",
            "hickory-proto",
            "nix",
            "ring",
            "rustls",
            "serde_json",
            "sqlx",
            "tokio",
            "tokio-rustls",
        ],
    },
    Room {
        name: "landmarc-e2e",
        rooms: &["mail", "auth", "report", "migrate", "dns", "store", "testkit"],
        crates: &["base64", "nix", "tokio"],
    },
    Room {
        name: "landmarc-benches",
        rooms: &["mail", "auth", "milter", "store", "testkit", "e2e"],
        crates: &["base64", "nix", "ring", "serde_json", "tokio"],
    },
    Room {
        name: "xtask",
        rooms: &["settings", "testkit"],
        crates: &["base64", "flate2", "serde_json"],
    },
];

/// What any package may use for its tests, beside its own dependencies.
const FOR_TESTS: [&str; 8] = [
    "landmarc-testkit",
    "base64",
    "insta",
    "nix",
    "proptest",
    "ring",
    "serde_json",
    "tokio",
];

/// What is wrong with the manifests.
pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let manifest = &package.manifest;
    let Some(room) = ROOMS.iter().find(|room| room.name == package.name) else {
        let problem = format!(
            "the package {:?} has no line in the table of xtask/src/rooms.rs",
            package.name
        );
        return vec![Finding::new(manifest, 0, problem)];
    };
    let not_allowed = package
        .dependencies
        .iter()
        .filter(|dependency| !allows(room, dependency));
    not_allowed
        .map(|dependency| Finding::new(manifest, 0, describe(room, dependency)))
        .collect()
}

fn allows(room: &Room, dependency: &Dependency) -> bool {
    let listed = match dependency.name.strip_prefix(PREFIX) {
        Some(inner) => room.rooms.contains(&inner),
        None => room.crates.contains(&&*dependency.name),
    };
    listed || dependency.dev && FOR_TESTS.contains(&&*dependency.name)
}

fn describe(room: &Room, dependency: &Dependency) -> String {
    let name = &dependency.name;
    if name == "landmarc-testkit" {
        format!("{name:?} is for tests only: [dev-dependencies]")
    } else if name.starts_with(PREFIX) {
        format!(
            "{:?} may not use {name:?}: dependencies point inward (xtask/src/rooms.rs)",
            room.name
        )
    } else {
        format!(
            "{:?} may not use the crate {name:?} (xtask/src/rooms.rs)",
            room.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(name: &str, dependency: &str, dev: bool) -> Vec<String> {
        let dependencies = vec![Dependency {
            name: dependency.to_owned(),
            dev,
        }];
        let package = Package {
            name: name.to_owned(),
            manifest: "Cargo.toml".to_owned(),
            dependencies,
        };
        check(&[package])
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn the_order_of_the_rooms_has_no_way_back() {
        // Each room comes after those it uses, so there can be no circle.
        for (place, room) in ROOMS.iter().enumerate() {
            for used in room.rooms {
                let before = ROOMS[..place]
                    .iter()
                    .any(|other| other.name == format!("{PREFIX}{used}"));
                assert!(before, "{} uses {used}", room.name);
            }
        }
    }

    #[test]
    fn an_inner_room_does_not_know_an_outer_one() {
        assert_eq!(problems("landmarc-auth", "landmarc-mail", false), [""; 0]);
        assert_eq!(
            problems("landmarc-mail", "landmarc-auth", false),
            ["Cargo.toml: \"landmarc-mail\" may not use \"landmarc-auth\": \
              dependencies point inward (xtask/src/rooms.rs)"]
        );
        assert_eq!(problems("landmarc-dns", "landmarc-milter", false).len(), 1);
    }

    #[test]
    fn the_core_brings_no_runtime() {
        for room in ["mail", "auth", "dmarc", "receiver", "settings"] {
            assert_eq!(
                problems(&format!("landmarc-{room}"), "tokio", false).len(),
                1,
                "{room}"
            );
        }
        assert_eq!(problems("landmarc-milter", "tokio", false), [""; 0]);
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert_eq!(problems("landmarc-dmarc", "landmarc-testkit", true), [""; 0]);
        assert_eq!(
            problems("landmarc", "landmarc-testkit", false),
            ["Cargo.toml: \"landmarc-testkit\" is for tests only: [dev-dependencies]"]
        );
    }

    #[test]
    fn a_package_that_nobody_placed_is_found() {
        assert_eq!(problems("landmarc-attic", "serde", false).len(), 1);
    }
}
