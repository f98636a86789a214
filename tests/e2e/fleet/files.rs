//! Counts that travel in files: exported while mail goes on, taken in elsewhere in any order and any number of times.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice::from_ref;

use landmarc_store::{Day, Segment};
use landmarc_testkit::tools::Folder;

use super::account::{assert_same, rows, tallies_since, written};
use super::ground::Loopback;
use super::mx::{Mx, today};
use crate::binary::{Ran, executable, landmarc};

/// The manual, whose example is run as it stands.
const MANUAL: &str = include_str!("../../../docs/fleet.md");
/// Messages between two exports.
const A_FEW: usize = 20;

#[test]
fn files_are_taken_in_any_order_and_once() {
    let scene = Scene::start();
    let (mut mx, folder) = (scene.mx, &scene.folder);
    // While mail goes on; the last one has what is left.
    mx.receive(&Loopback);
    let mut exported = vec![];
    for _ in 0..2 {
        mx.answers(A_FEW);
        exported.push(export(&mx, folder));
    }
    mx.answers(A_FEW);
    mx.rest();
    mx.stop();
    exported.push(export(&mx, folder));
    let all = written(&mx);
    let messages: usize = exported.iter().map(|exported| exported.messages).sum();
    assert_eq!(messages, all.len());
    follow_each_other(&exported);
    let nothing = export(&mx, folder);
    assert_eq!((nothing.messages, nothing.files.len()), (0, 0));

    let collector = &scene.collector;
    let [first, second, third] = exported.as_slice() else {
        panic!("three exports");
    };
    let cut = damaged(folder, &second.files[0], |octets| {
        octets.truncate(octets.len() - 1);
    });
    let flipped = damaged(folder, &first.files[0], |octets| {
        let middle = octets.len() / 2;
        octets[middle] ^= 1;
    });
    let taken = import(collector, &[&third.files, from_ref(&cut), from_ref(&flipped)]);
    assert_eq!(taken.code, 65, "{}{}", taken.stdout, taken.stderr);
    let remedy =
        "\n  copy the file again from where it was exported, or export again; nothing of it was counted\n";
    assert_eq!(taken.stderr.matches(remedy).count(), 2, "{}", taken.stderr);
    let names = |file: &Path, why: &str| taken.stderr.contains(&format!("{}: {why}", file.display()));
    assert!(names(&cut, "a segment that is cut off"), "{}", taken.stderr);
    assert!(
        names(&flipped, "a segment that was changed on the way"),
        "{}",
        taken.stderr
    );
    let of_third: u64 = counted(&scene.collector, scene.first)
        .values()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(
        of_third,
        u64::try_from(third.messages).unwrap(),
        "the sound file was taken"
    );
    assert_ne!(
        collector.json(&["store", "status", "--json"])["hosts"][0]["missing_batches"],
        0
    );

    for _ in 0..2 {
        let taken = import(collector, &[&third.files, &second.files, &first.files]);
        assert_eq!((taken.code, taken.stderr.as_str()), (0, ""), "{}", taken.stdout);
        assert_same("the tallies", &counted(collector, scene.first), &rows(&all));
    }
    assert_eq!(
        collector.json(&["store", "status", "--json"])["hosts"][0]["missing_batches"],
        0
    );
}

#[test]
fn the_example_of_the_manual_works_as_it_stands() {
    let mut scene = Scene::start();
    let run = example(&scene);
    assert_eq!(run(), "", "there was no mail");
    scene.mx.receive(&Loopback);
    for _ in 0..2 {
        scene.mx.answers(A_FEW);
        assert!(run().contains(" new, 0 known"));
    }
    scene.mx.rest();
    scene.mx.stop();
    run();
    let all = written(&scene.mx);
    assert_same(
        "the tallies",
        &counted(&scene.collector, scene.first),
        &rows(&all),
    );
    assert_eq!(run(), "", "nothing is left");
}

/// A mail host whose counts are fetched, and where they go; both serve.
struct Scene {
    mx: Mx,
    collector: Mx,
    /// The day on which it began.
    first: Day,
    folder: Folder,
}

impl Scene {
    fn start() -> Self {
        let mut mx = Mx::new(&Loopback, None, ("mx1", 0), "fleet.export = true\n");
        let mut collector = Mx::new(&Loopback, None, ("collector", 0), "");
        for host in [&mut mx, &mut collector] {
            host.begin(&Loopback);
            host.listens();
        }
        Self {
            mx,
            collector,
            first: today(),
            folder: Folder::new("fleet-files"),
        }
    }
}

/// What an export came to.
struct Exported {
    files: Vec<PathBuf>,
    messages: usize,
}

#[track_caller]
fn export(mx: &Mx, folder: &Folder) -> Exported {
    let to = folder.path().join("out").display().to_string();
    let exported = mx.json(&["spool", "export", &to, "--json"]);
    let files = exported["files"].as_array().unwrap().iter();
    Exported {
        files: files.map(|file| file.as_str().unwrap().into()).collect(),
        messages: usize::try_from(exported["messages"].as_u64().unwrap()).unwrap(),
    }
}

/// Each has something, and begins where the one before it ends.
#[track_caller]
fn follow_each_other(exported: &[Exported]) {
    let mut next = 1;
    for file in exported.iter().flat_map(|exported| &exported.files) {
        let segment = Segment::read(&fs::read(file).unwrap()).unwrap();
        assert_eq!(segment.first(), next);
        next = segment.last() + 1;
    }
    assert!(exported.iter().all(|exported| exported.messages > 0));
}

/// A copy of a file with something done to it.
fn damaged(folder: &Folder, file: &Path, harm: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut octets = fs::read(file).unwrap();
    harm(&mut octets);
    let name = file.file_name().unwrap().to_str().unwrap();
    folder.write(format!("damaged/{name}"), octets)
}

fn import(collector: &Mx, files: &[&[PathBuf]]) -> Ran {
    let files = files.iter().flat_map(|files| files.iter());
    let files = files.map(|file| file.display().to_string());
    let config = ["--config".to_owned(), collector.settings().display().to_string()];
    let command = ["store", "import"].map(str::to_owned).into_iter();
    landmarc(command.chain(files).chain(config))
}

fn counted(collector: &Mx, first: Day) -> super::account::Rows {
    tallies_since(&collector.database().into(), first)
}

/// The first example of the chapter on files, with stand-ins for what goes over the network; what it prints.
fn example(scene: &Scene) -> impl Fn() -> String + use<> {
    let (_, chapter) = MANUAL.split_once("\n## Files\n").unwrap();
    let (_, example) = chapter.split_once("```sh\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let folder = scene.folder.path().display();
    // Nothing beside this differs.
    let here = example.replace("=/var/spool/landmarc\n", &format!("={folder}/spool\n"));
    assert_ne!(here, example);
    let script = scene.folder.write("example.sh", here);
    let program = |name: &str, text: &str| {
        let file = scene
            .folder
            .write(format!("bin/{name}"), format!("#!/bin/sh\nset -e\n{text}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let (there, here) = (scene.mx.settings(), scene.collector.settings());
    let (there, here) = (there.display(), here.display());
    program(
        "landmarc",
        &format!(
            "exec {} \"$@\" --config ${{SETTINGS:-{here}}}",
            executable().display()
        ),
    );
    program("ssh", &format!("shift\nSETTINGS={there} exec \"$@\""));
    // Two options, from where, and to where.
    program(
        "rsync",
        "find \"${3#*:}\" -maxdepth 1 -type f | while read -r file; do cp -p \"$file\" \"$4\"; rm \"$file\"; done",
    );
    let path = format!("{folder}/bin:{}", std::env::var("PATH").unwrap());
    move || {
        let ran = Command::new("sh")
            .arg("-e")
            .arg(&script)
            .env("PATH", &path)
            .output()
            .unwrap();
        let said = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        assert!(ran.status.success(), "{}", said(&ran.stderr));
        assert_eq!(said(&ran.stderr), "");
        let lines = said(&ran.stdout);
        // Of the import: the export has said what it wrote.
        let lines = lines.lines().filter(|line| line.contains(" known; messages: "));
        lines.map(|line| format!("{line}\n")).collect()
    }
}
