//! The two text formats of `/metrics`, and which of them a client asks for (RFC 9110 §12.5.1).
//!
//! Whoever asks for nothing gets the classic format of Prometheus, which all readers know. OpenMetrics 1.0 is for
//! clients that name it, as Prometheus does since its version 2.5.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Octets of all Accept fields together that are read. Prometheus sends some 300.
const MAX_ACCEPT_OCTETS: usize = 4 * 1024;

/// Media ranges of all Accept fields together that are read. Prometheus sends five.
const MAX_MEDIA_RANGES: usize = 64;

/// A format of `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFormat {
    /// The text format of Prometheus, version 0.0.4.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl MetricsFormat {
    /// The value of the field Content-Type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that these header fields of a request ask for: OpenMetrics for a client that names it and likes it no
    /// less than plain text, else the classic one, also for a client that wants neither (RFC 9110 allows an answer
    /// then, and a page in plain text says more than 406). So it is past the limits.
    pub(crate) fn asked_for(fields: &HeaderMap) -> Self {
        let values = || {
            let values = fields.get_all(ACCEPT).iter();
            values.filter_map(|value| value.to_str().ok())
        };
        let octets: usize = values().map(str::len).sum();
        let ranges = || values().flat_map(|value| value.split(','));
        if octets > MAX_ACCEPT_OCTETS || ranges().count() > MAX_MEDIA_RANGES {
            return Self::Classic;
        }
        let (mut open_metrics, mut plain) = (0, 0);
        for range in ranges().filter_map(MediaRange::parse) {
            if range.is_open_metrics() {
                open_metrics = open_metrics.max(range.weight);
            } else if range.is_plain() {
                plain = plain.max(range.weight);
            }
        }
        match open_metrics > 0 && open_metrics >= plain {
            true => Self::OpenMetrics,
            false => Self::Classic,
        }
    }

    /// A page of OpenMetrics 1.0 in this format.
    pub(crate) fn of_page(self, page: String) -> String {
        match self {
            Self::Classic => classic(&page),
            Self::OpenMetrics => page,
        }
    }
}

/// One element of an Accept field.
#[derive(Debug)]
struct MediaRange<'a> {
    name: &'a str,
    version: Option<&'a str>,
    /// Thousandths.
    weight: u16,
}

impl<'a> MediaRange<'a> {
    /// An element with a weight that cannot be read asks for nothing.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let mut range = Self {
            name: parts.next()?,
            version: None,
            weight: 1_000,
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.eq_ignore_ascii_case("q") {
                range.weight = weight(value)?;
            } else if name.eq_ignore_ascii_case("version") {
                range.version = Some(value.trim_matches('"'));
            }
        }
        Some(range)
    }

    /// Version 0.0.1 is a draft of what became 1.0.0.
    fn is_open_metrics(&self) -> bool {
        self.name.eq_ignore_ascii_case("application/openmetrics-text")
            && matches!(self.version, None | Some("0.0.1" | "1.0.0"))
    }

    /// Any other type that plain text belongs to, but for those that stand for everything: who takes anything has
    /// no preference.
    fn is_plain(&self) -> bool {
        self.name.eq_ignore_ascii_case("text/plain") || self.name.eq_ignore_ascii_case("text/*")
    }
}

/// `0.25` in thousandths; at most three digits behind the point, and no more than one (RFC 9110 §12.4.2).
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|octet| octet.is_ascii_digit());
    match whole {
        "0" if is_number => format!("{fraction:0<3}").parse().ok(),
        "1" if is_number && fraction.bytes().all(|octet| octet == b'0') => Some(1_000),
        _ => None,
    }
}

/// A page of OpenMetrics in the classic format, which has no units and no end, no type for information, and describes a
/// counter by the name of its sample.
fn classic(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut help = None;
    for line in page.lines() {
        let mut words = line.splitn(4, ' ');
        let written = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), _, words) => {
                help = words;
                Ok(())
            }
            (Some("#"), Some("TYPE"), Some(family), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    kind => ("", kind),
                };
                help.take()
                    .map_or(Ok(()), |help| writeln!(text, "# HELP {family}{suffix} {help}"))
                    .and_then(|()| writeln!(text, "# TYPE {family}{suffix} {kind}"))
            }
            (Some("#"), ..) => Ok(()),
            _ => writeln!(text, "{line}"),
        };
        // Writing to a String does not fail.
        let _ = written;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(values: &[&str]) -> MetricsFormat {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(ACCEPT, value.parse().unwrap());
        }
        MetricsFormat::asked_for(&fields)
    }

    #[test]
    fn who_names_openmetrics_gets_it() {
        for values in [
            &["application/openmetrics-text"][..],
            &["Application/OpenMetrics-Text; Version=\"1.0.0\"; charset=utf-8"],
            // Prometheus 2.5 and later, 2.35 and later, 3.
            &["application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"],
            &["application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"],
            &[
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
               application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
               text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            ],
            &["text/plain;q=0.5", "application/openmetrics-text;q=0.5"],
            &["application/openmetrics-text;q=0.001"],
        ] {
            assert_eq!(asked(values), MetricsFormat::OpenMetrics, "{values:?}");
        }
    }

    #[test]
    fn all_others_get_the_classic_format() {
        for values in [
            &[][..],
            &[""],
            &["*/*"],
            &["text/html, */*;q=0.8"],
            &["application/*"],
            &["application/json"],
            &["text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;q=0.000, */*"],
            &["application/openmetrics-text;version=2.0.0"],
            &["application/openmetrics-text;q=high"],
            &["application/openmetrics-text;q=1.001"],
            &["application/openmetrics-text;q=0.0001"],
            &["application/openmetrics-text;q=-1"],
            &["application/openmetrics-text-2"],
        ] {
            assert_eq!(asked(values), MetricsFormat::Classic, "{values:?}");
        }
    }

    #[test]
    fn a_field_is_read_up_to_the_limits() {
        const ASKS: &str = "application/openmetrics-text";
        let long = |octets: usize| format!("{ASKS};x={}", "x".repeat(octets - ASKS.len() - 3));
        assert_eq!(asked(&[&long(MAX_ACCEPT_OCTETS)]), MetricsFormat::OpenMetrics);
        assert_eq!(asked(&[&long(MAX_ACCEPT_OCTETS + 1)]), MetricsFormat::Classic);
        let many = |ranges: usize| format!("{ASKS}{}", ",a/b".repeat(ranges - 1));
        assert_eq!(asked(&[&many(MAX_MEDIA_RANGES)]), MetricsFormat::OpenMetrics);
        assert_eq!(asked(&[&many(MAX_MEDIA_RANGES + 1)]), MetricsFormat::Classic);
        let half = many(MAX_MEDIA_RANGES / 2);
        assert_eq!(asked(&[&half, &half]), MetricsFormat::OpenMetrics);
        assert_eq!(asked(&[&half, &half, "a/b"]), MetricsFormat::Classic);
    }

    #[test]
    fn the_classic_page_describes_samples_by_their_names() {
        let page = "# HELP x Some.\n# TYPE x counter\nx_total{a=\"b c\"} 1\n\
                    # HELP y_seconds Time.\n# TYPE y_seconds gauge\n# UNIT y_seconds seconds\ny_seconds 0.5\n\
                    # HELP z What runs.\n# TYPE z info\nz_info{version=\"1\"} 1\n\
                    # HELP h Sizes.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 0\nh_sum 0.0\nh_count 0\n# EOF\n";
        insta::assert_snapshot!(MetricsFormat::Classic.of_page(page.to_owned()), @r#"
        # HELP x_total Some.
        # TYPE x_total counter
        x_total{a="b c"} 1
        # HELP y_seconds Time.
        # TYPE y_seconds gauge
        y_seconds 0.5
        # HELP z_info What runs.
        # TYPE z_info gauge
        z_info{version="1"} 1
        # HELP h Sizes.
        # TYPE h histogram
        h_bucket{le="+Inf"} 0
        h_sum 0.0
        h_count 0
        "#);
        assert_eq!(MetricsFormat::OpenMetrics.of_page(page.to_owned()), page);
    }
}
