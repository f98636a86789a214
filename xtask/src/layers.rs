//! Which crate may use which: the layers, the order of the crates in each, and what each may bring from outside.
//!
//! The core decides and touches nothing; the edges touch the world and decide nothing; the roles are what the service
//! does; one binary composes them. A crate may use those that stand above it here, and no others of ours.

use crate::Finding;
use crate::source::{Dependency, Package};

/// Crates of one folder; each may use those above it.
struct Layer {
    /// What holds the folders of its crates.
    folder: &'static str,
    /// The name of a crate without `landmarc-`, and the crates of others that it may use.
    crates: &'static [(&'static str, &'static str)],
}

const LAYERS: [Layer; 5] = [
    Layer {
        folder: "crates/core",
        crates: &[
            ("mail", "idna jiff memchr thiserror"),
            ("auth", "base64 futures-util idna memchr ring thiserror"),
            ("dmarc", "futures-util memchr psl publicsuffix thiserror"),
            ("observation", "thiserror"),
            ("receiver", "futures-util memchr thiserror"),
            ("report", "base64 flate2 mail-parser ring thiserror"),
            (
                "intake",
                "base64 encoding_rs flate2 jiff mail-parser quick-xml ring thiserror zip",
            ),
            ("settings", "jiff serde thiserror toml"),
            ("migrate", "jiff serde_json thiserror"),
        ],
    },
    Layer {
        folder: "crates/edges",
        crates: &[
            (
                "dns",
                "futures-util hickory-proto hickory-resolver serde_json thiserror tokio tracing",
            ),
            (
                "net",
                "bytes http-body-util hyper hyper-util nix thiserror tokio tracing",
            ),
            // Knows the frames of two protocols, and nothing of SQL.
            ("guard", "ring rustls thiserror tokio tokio-rustls webpki-roots"),
            ("milter", "bytes nix thiserror tokio tracing"),
            (
                "interfaces",
                "base64 bytes http-body-util hyper hyper-util nix serde serde_json thiserror tokio tracing",
            ),
            (
                "store",
                "flate2 futures-util ring rusqlite serde serde_json sqlx thiserror tokio tracing",
            ),
            (
                "delivery",
                "base64 ring rustls smtp-proto thiserror tokio tokio-rustls tracing",
            ),
            // Carries octets, and knows nothing of what is in them.
            (
                "push",
                "bytes http-body-util hyper hyper-util ring rustls rustls-webpki serde serde_json thiserror tokio \
                 tokio-rustls tracing",
            ),
            (
                "source",
                "futures-util redis rusqlite sqlx thiserror tokio tracing",
            ),
        ],
    },
    Layer {
        folder: "crates/roles",
        crates: &[
            (
                "runtime",
                "jiff nix prometheus-client sd-notify thiserror tokio tracing tracing-journald tracing-subscriber",
            ),
            (
                "filter",
                "futures-util nix prometheus-client ring serde_json thiserror tokio tracing",
            ),
            (
                "reporter",
                "futures-util nix prometheus-client ring serde_json thiserror tokio tracing",
            ),
            (
                "fleet",
                "futures-util nix prometheus-client ring serde_json thiserror tokio tracing",
            ),
            (
                "import",
                "futures-util nix prometheus-client ring serde_json thiserror tokio tracing",
            ),
            (
                "web",
                "axum hyper hyper-util nix prometheus-client thiserror tokio tracing",
            ),
        ],
    },
    Layer {
        folder: "crates",
        crates: &[(
            "landmarc",
            "clap clap_complete clap_mangen futures-util mimalloc nix prometheus-client ring rsa serde_json \
             terminal_size thiserror tokio tracing",
        )],
    },
    // Never part of the product, wherever their folders are.
    Layer {
        folder: "",
        crates: &[
            (
                "testkit",
                "base64 hickory-proto nix ring rustls serde_json sqlx tokio tokio-rustls",
            ),
            ("e2e", "base64 nix tokio"),
            ("benches", "base64 nix ring serde_json tokio"),
            ("xtask", "base64 flate2 serde_json"),
        ],
    },
];

const PREFIX: &str = "landmarc-";

/// What any package may use for its tests, beside its own dependencies. What `report` writes is read back by `intake`.
const FOR_TESTS: &str =
    "landmarc-intake landmarc-testkit base64 insta nix proptest ring serde_json tokio tracing-subscriber";

/// Where a crate stands: a layer, and a place in it. What is less is above.
type Place = (usize, usize);

/// What is wrong with the manifests.
pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(check_package).collect()
}

/// Places in the table without a crate.
pub(crate) fn empty_places(packages: &[Package]) -> Vec<Finding> {
    let names = LAYERS
        .iter()
        .flat_map(|layer| layer.crates)
        .map(|(name, _)| *name);
    let empty = names.filter(|name| !packages.iter().any(|package| short(&package.name) == *name));
    let problem = |name| format!("there is no crate {name:?}");
    empty
        .map(|name| Finding::new("xtask/src/layers.rs", 0, problem(name)))
        .collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let finding = |problem: String| Finding::new(&package.manifest, 0, problem);
    let Some(place) = place(&package.name) else {
        let problem = format!(
            "{:?} has no line in the table of xtask/src/layers.rs",
            package.name
        );
        return vec![finding(problem)];
    };
    let mut findings = Vec::new();
    let folder = LAYERS[place.0].folder;
    let name = short(&package.name);
    if !folder.is_empty() && package.manifest != format!("{folder}/{name}/Cargo.toml") {
        findings.push(finding(format!(
            "{:?} belongs into {folder}/{name}",
            package.name
        )));
    }
    let not_allowed = package.dependencies.iter().filter(|used| !allows(place, used));
    findings.extend(not_allowed.map(|used| finding(describe(&package.name, used))));
    findings
}

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

fn place(name: &str) -> Option<Place> {
    let name = short(name);
    LAYERS
        .iter()
        .enumerate()
        .find_map(|(layer, Layer { crates, .. })| {
            let index = crates.iter().position(|(known, _)| *known == name)?;
            Some((layer, index))
        })
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

fn lists(words: &str, name: &str) -> bool {
    words.split_whitespace().any(|word| word == name)
}

fn allows((layer, index): Place, used: &Dependency) -> bool {
    let listed = match is_ours(&used.name) {
        true => place(&used.name).is_some_and(|above| above < (layer, index)),
        false => lists(LAYERS[layer].crates[index].1, &used.name),
    };
    listed || used.dev && lists(FOR_TESTS, &used.name)
}

fn describe(package: &str, used: &Dependency) -> String {
    let name = &used.name;
    if name == "landmarc-testkit" {
        format!("{name:?} is for tests only: [dev-dependencies]")
    } else if is_ours(name) {
        format!("{package:?} may not use {name:?}, which stands below it (xtask/src/layers.rs)")
    } else {
        format!("{package:?} may not use the crate {name:?} (xtask/src/layers.rs)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_in(manifest: &str, name: &str, dependency: &str, dev: bool) -> Vec<String> {
        let dependencies = vec![Dependency {
            name: dependency.to_owned(),
            dev,
        }];
        let package = Package {
            name: name.to_owned(),
            manifest: manifest.to_owned(),
            dependencies,
        };
        let findings = check(&[package]).into_iter();
        findings.map(|finding| finding.problem).collect()
    }

    /// With the manifest where it belongs.
    fn problems(name: &str, dependency: &str, dev: bool) -> Vec<String> {
        let folder = place(name).map_or("", |(layer, _)| LAYERS[layer].folder);
        let manifest = format!("{folder}/{}/Cargo.toml", short(name));
        problems_in(&manifest, name, dependency, dev)
    }

    #[test]
    fn no_crate_stands_twice() {
        let mut names: Vec<_> = LAYERS
            .iter()
            .flat_map(|layer| layer.crates)
            .map(|(name, _)| name)
            .collect();
        names.sort();
        assert!(names.is_sorted_by(|one, other| one < other), "{names:?}");
    }

    #[test]
    fn a_crate_uses_those_above_it_in_its_layer_and_the_layers_above() {
        for (name, above) in [
            ("landmarc-auth", "landmarc-mail"),
            ("landmarc-interfaces", "landmarc-milter"),
            ("landmarc-web", "landmarc-store"),
            ("landmarc", "landmarc-web"),
            ("xtask", "landmarc-testkit"),
        ] {
            assert_eq!(problems(name, above, false), [""; 0], "{name}");
        }
        for (name, below) in [
            ("landmarc-mail", "landmarc-auth"),
            ("landmarc-dns", "landmarc-milter"),
            ("landmarc-report", "landmarc-store"),
            ("landmarc-store", "landmarc-web"),
        ] {
            let problem =
                format!("{name:?} may not use {below:?}, which stands below it (xtask/src/layers.rs)");
            assert_eq!(problems(name, below, false), [problem]);
        }
    }

    #[test]
    fn the_core_brings_no_runtime() {
        for (name, _) in LAYERS[0].crates {
            assert_eq!(
                problems(&format!("{PREFIX}{name}"), "tokio", false).len(),
                1,
                "{name}"
            );
        }
        assert_eq!(problems("landmarc-milter", "tokio", false), [""; 0]);
    }

    #[test]
    fn a_crate_lies_in_the_folder_of_its_layer() {
        let folder = |manifest| problems_in(manifest, "landmarc-dns", "landmarc-mail", false);
        assert_eq!(folder("crates/edges/dns/Cargo.toml"), [""; 0]);
        assert_eq!(
            folder("crates/core/dns/Cargo.toml"),
            ["\"landmarc-dns\" belongs into crates/edges/dns"]
        );
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert_eq!(problems("landmarc-dmarc", "landmarc-testkit", true), [""; 0]);
        assert_eq!(
            problems("landmarc", "landmarc-testkit", false),
            ["\"landmarc-testkit\" is for tests only: [dev-dependencies]"]
        );
    }

    #[test]
    fn a_package_that_nobody_placed_is_found() {
        assert_eq!(problems("landmarc-attic", "serde", false).len(), 1);
    }
}
