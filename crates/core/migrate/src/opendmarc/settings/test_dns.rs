//! What TestDNSData names (P40): a file of lines `name text`, each the text of a TXT record.

/// The most records that are read.
pub const MAX_TEST_RECORDS: usize = 10_000;

/// The records of such a file: name and text. Blank lines and those that begin with a hash are none, and
/// a name without a text is passed over.
#[must_use]
pub fn test_records(octets: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(octets);
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let records = lines.filter_map(|line| {
        let (name, text) = line.split_once([' ', '\t'])?;
        Some((name.to_owned(), text.trim_start().to_owned()))
    });
    records.take(MAX_TEST_RECORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p40_a_line_is_a_name_and_a_text() {
        let records = test_records(
            b"# made up\n\n_dmarc.example.com v=DMARC1; p=reject\r\nalone\n\ta.example \t x  y\n",
        );
        let expected = [
            ("_dmarc.example.com", "v=DMARC1; p=reject"),
            ("a.example", "x  y"),
        ];
        assert_eq!(
            records,
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
    }

    #[test]
    fn p40_so_many_records_are_read() {
        let line = "a.example x\n";
        assert_eq!(
            test_records(line.repeat(MAX_TEST_RECORDS).as_bytes()).len(),
            MAX_TEST_RECORDS
        );
        assert_eq!(
            test_records(line.repeat(MAX_TEST_RECORDS + 1).as_bytes()).len(),
            MAX_TEST_RECORDS
        );
    }
}
