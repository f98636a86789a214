//! Numbers and sizes as people read them.

/// The units of size, largest first, in octets.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A size with one decimal: `12.5 MiB`; below one KiB in octets.
pub(crate) fn size(octets: u64) -> String {
    let Some((name, unit)) = UNITS.iter().find(|(_, unit)| octets >= *unit) else {
        return format!("{octets} B");
    };
    // Rounded down: a file is not said to be larger than it is.
    let tenths = octets % unit * 10 / unit;
    format!("{}.{tenths} {name}", grouped(octets / unit))
}

/// A number with its thousands apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_the_largest_unit_that_fits() {
        let shown = [0, 1_023, 1_024, 1_536, (1 << 20) - 1, 1 << 20, 5 << 30, u64::MAX];
        assert_eq!(
            shown.map(size),
            [
                "0 B",
                "1023 B",
                "1.0 KiB",
                "1.5 KiB",
                "1,023.9 KiB",
                "1.0 MiB",
                "5.0 GiB",
                "17,179,869,183.9 GiB",
            ]
        );
    }

    #[test]
    fn thousands_are_apart() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567];
        assert_eq!(shown.map(grouped), ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
