//! Comma-separated values (RFC 4180), for spreadsheets that obey what strangers write.

/// A spreadsheet takes a cell that begins with one of these for a formula and computes it; the
/// last two are skipped by some, and what follows them is taken for one.
const BEGIN_FORMULAS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// One line of cells.
pub(crate) fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    // RFC 4180 §2: lines end with CRLF.
    format!("{}\r\n", cells.join(","))
}

fn cell(text: &str) -> String {
    let mark = if text.starts_with(BEGIN_FORMULAS) { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{mark}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(
            line(["plain", "", "a b", "a,b", "say \"so\"", "two\nlines"]),
            "plain,,a b,\"a,b\",\"say \"\"so\"\"\",\"two\nlines\"\r\n"
        );
        assert_eq!(line([]), "\r\n");
    }

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(
            line([
                "=1+1",
                "+1",
                "-1",
                "@SUM(A1)",
                "\t=1",
                "a=1",
                "=HYPERLINK(\"x\",\"y\")"
            ]),
            "'=1+1,'+1,'-1,'@SUM(A1),'\t=1,a=1,\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"\r\n"
        );
        assert_eq!(line(["\r=1"]), "\"'\r=1\"\r\n");
    }
}
