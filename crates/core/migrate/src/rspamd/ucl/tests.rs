//! The part of UCL that is read, and what is told of the rest.

use proptest::prelude::*;

use super::*;

/// Each value on a line: its line, its path, what it says.
fn told(text: &str) -> Vec<String> {
    let (said, faults) = read(text.as_bytes());
    assert!(faults.is_empty(), "{faults:?}");
    let line = |said: &UclEntry| {
        let value = match &said.value {
            UclValue::Text(text) => format!("= {text:?}"),
            UclValue::List(items) => format!("= {items:?}"),
            UclValue::Section => "{".to_owned(),
            UclValue::Macro(text) => text.clone(),
        };
        format!("{} {} {value}", said.line, said.path.join("."))
    };
    said.iter().map(line).collect()
}

fn wrong(text: &str) -> Vec<String> {
    let (_, faults) = read(text.as_bytes());
    faults
        .iter()
        .map(|fault| format!("{fault} ({})", fault.remedy()))
        .collect()
}

#[test]
fn the_forms_of_the_seed_and_of_rspamds_own_files_are_read() {
    let text = "dmarc {\n  # Enables storing reporting information to redis\n  reporting = true;\n  \
                servers = \"127.0.0.1:6379\"; # a list, perhaps\n  key_prefix: 'dmarc_'\n  \
                .include(try=true,priority=5) \"${DBDIR}/dynamic/dmarc.conf\"\n}\n";
    assert_eq!(
        told(text),
        [
            "1 dmarc {",
            "3 dmarc.reporting = \"true\"",
            "4 dmarc.servers = \"127.0.0.1:6379\"",
            "5 dmarc.key_prefix = \"dmarc_\"",
            "6 dmarc .include ${DBDIR}/dynamic/dmarc.conf",
        ]
    );
    assert_eq!(told("dmarc { }\n"), ["1 dmarc {"]);
}

#[test]
fn sections_lists_names_and_comments() {
    let text = "/* a /* nested */ comment */ worker \"normal\" { count = 1; }\n\
                dmarc\n{\n  actions { reject = \"reject\"; quarantine: add_header }\n}\n\
                redis { servers = [\"a:1\", 'b:2',\n c]; timeout 1s; url = http://x/#y; } # end\n";
    assert_eq!(
        told(text),
        [
            "1 worker.normal {",
            "1 worker.normal.count = \"1\"",
            "2 dmarc {",
            "4 dmarc.actions {",
            "4 dmarc.actions.reject = \"reject\"",
            "4 dmarc.actions.quarantine = \"add_header\"",
            "6 redis {",
            "6 redis.servers = [\"a:1\", \"b:2\", \"c\"]",
            "7 redis.timeout = \"1s\"",
            "7 redis.url = \"http://x/#y\"",
        ]
    );
}

#[test]
fn json_and_texts_of_several_lines_are_read() {
    let text = "{\"dmarc\": {\"reporting\": {\"enabled\": true, \"helo\": \"a\\\"b\"}}}";
    assert_eq!(
        told(text),
        [
            "1 dmarc {",
            "1 dmarc.reporting {",
            "1 dmarc.reporting.enabled = \"true\"",
            "1 dmarc.reporting.helo = \"a\\\"b\"",
        ]
    );
    assert_eq!(
        told("a = <<EOD\none\n  two\nEOD\nb = c"),
        ["1 a = \"one\\n  two\"", "5 b = \"c\""]
    );
    assert_eq!(told("\u{feff}a = b"), ["1 a = \"b\""]);
    assert_eq!(told(""), [""; 0]);
}

/// Ten files that are broken, and what is told of each.
#[test]
fn what_is_broken_is_told_with_line_and_remedy() {
    let files = [
        "dmarc {\n  servers = \"127.0.0.1:6379;\n}\n",
        "dmarc {\n  reporting {\n    enabled = true;\n  }\n",
        "dmarc {\n}\n}\n",
        "dmarc {\n  reporting = ;\n}\n",
        "dmarc {\n  reporting\n}\n",
        "dmarc {\n  = true;\n}\n",
        "/* dmarc {\n}\n",
        "redis {\n  servers = [\"a\", \"b\";\n",
        "a = <<EOD\ntext\n",
        "dmarc {\n  key_prefix = 'dmarc_;\n}\n",
    ];
    let mut lines: Vec<_> = files.iter().flat_map(|file| wrong(file)).collect();
    let (_, faults) = read(b"a = b;\nc = \xff;\n");
    lines.extend(faults.iter().map(|fault| format!("{fault} ({})", fault.remedy())));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_is_good_beside_a_fault_is_read() {
    let (said, faults) = read(b"dmarc {\n  a = ;\n  b = c;\n}\n");
    assert_eq!((said.len(), faults.len()), (2, 1));
    assert_eq!(said[1].path, ["dmarc", "b"]);
}

#[test]
fn limits_hold() {
    let deep = |depth: usize| format!("{}{}", "a { ".repeat(depth), "} ".repeat(depth));
    assert_eq!(wrong(&deep(MAX_DEPTH)), [""; 0]);
    assert_eq!(read(deep(MAX_DEPTH + 1).as_bytes()).1[0].wrong, UclError::TooDeep);
    let many = |count: usize| read("a = b;\n".repeat(count).as_bytes());
    assert_eq!(many(MAX_VALUES - 1).1, []);
    assert_eq!(many(MAX_VALUES + 1).1[0].wrong, UclError::TooMany);
    let long = |octets: usize| read(format!("a = {};", "x".repeat(octets)).as_bytes());
    assert_eq!(long(MAX_VALUE_OCTETS).1, []);
    assert_eq!(
        long(MAX_VALUE_OCTETS + 1).1[0].wrong,
        UclError::ValueTooLong("a".to_owned())
    );
    assert_eq!(read(&vec![b' '; MAX_FILE_OCTETS]).1, []);
    assert_eq!(
        read(&vec![b' '; MAX_FILE_OCTETS + 1]).1[0].wrong,
        UclError::FileTooLong(MAX_FILE_OCTETS + 1)
    );
    assert_eq!(
        read("a = ;\n".repeat(MAX_FAULTS + 1).as_bytes()).1.len(),
        MAX_FAULTS
    );
    let items = |count: usize| read(format!("a = [{}]", "b,".repeat(count)).as_bytes());
    assert_eq!(items(MAX_VALUES).1, []);
    assert_eq!(items(MAX_VALUES + 1).1[0].wrong, UclError::TooMany);
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "[a-c{}\\[\\]=:;,\"'#./*<\\\\ \n]{0,60}") {
        let (said, faults) = read(text.as_bytes());
        let lines = text.lines().count().max(1) + 1;
        prop_assert!(said.iter().all(|said| (1..=lines).contains(&said.line)));
        prop_assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line)));
    }

    #[test]
    fn any_octets_are_read_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&octets);
    }
}
