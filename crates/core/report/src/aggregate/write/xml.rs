//! Elements on an output, indented, with their text escaped.

use std::io::{self, Write};

use crate::aggregate::model::Text;
use crate::aggregate::text::{MAX_TEXT_OCTETS, is_language, tidy};
use crate::aggregate::write::Form;

/// As deep as a report goes.
const BLANKS: &str = "                ";

/// An XML document in the making. Names of elements are ours; only texts are foreign.
pub(super) struct Xml<W> {
    out: W,
    depth: usize,
}

impl<W: Write> Xml<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, depth: 0 }
    }

    pub(super) fn declaration(&mut self) -> io::Result<()> {
        self.out
            .write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
    }

    pub(super) fn open(&mut self, name: &str) -> io::Result<()> {
        self.indent()?;
        self.depth += 1;
        self.pieces(&["<", name, ">\n"])
    }

    /// With one attribute, whose value is ours.
    pub(super) fn open_with(&mut self, name: &str, attribute: &str, value: &str) -> io::Result<()> {
        self.indent()?;
        self.depth += 1;
        self.pieces(&["<", name, " ", attribute, "=\"", value, "\">\n"])
    }

    pub(super) fn close(&mut self, name: &str) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        self.indent()?;
        self.pieces(&["</", name, ">\n"])
    }

    /// An element with at most [`MAX_TEXT_OCTETS`] of text.
    pub(super) fn leaf(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.indent()?;
        self.pieces(&["<", name, ">"])?;
        self.escaped(&tidy(text, MAX_TEXT_OCTETS))?;
        self.pieces(&["</", name, ">\n"])
    }

    pub(super) fn number(&mut self, name: &str, number: u64) -> io::Result<()> {
        self.indent()?;
        writeln!(self.out, "<{name}>{number}</{name}>")
    }

    /// An element with at most [`MAX_TEXT_OCTETS`] of text, where there is one.
    pub(super) fn optional_leaf(&mut self, name: &str, text: Option<&str>) -> io::Result<()> {
        text.map_or(Ok(()), |text| self.leaf(name, text))
    }

    /// An element with text in a language, where there is one. The older form does not know the attribute.
    pub(super) fn optional_text(
        &mut self,
        name: &str,
        text: Option<&Text>,
        max_octets: usize,
        form: Form,
    ) -> io::Result<()> {
        let Some(text) = text else { return Ok(()) };
        self.indent()?;
        self.pieces(&["<", name])?;
        match &text.lang {
            Some(lang) if form == Form::Rfc9990 && is_language(lang) => {
                self.pieces(&[" lang=\"", lang, "\">"])?;
            }
            _ => self.pieces(&[">"])?,
        }
        self.escaped(&tidy(&text.text, max_octets))?;
        self.pieces(&["</", name, ">\n"])
    }

    /// Text that has been tidied: what is left to escape is markup. `>` is, too, for `]]>` must not
    /// stand in text (XML 1.0 §2.4).
    fn escaped(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<', '>']) {
            let (plain, marked) = rest.split_at(at);
            let reference = match marked.as_bytes().first() {
                Some(b'&') => "&amp;",
                Some(b'<') => "&lt;",
                _ => "&gt;",
            };
            self.pieces(&[plain, reference])?;
            rest = marked.get(1..).unwrap_or_default();
        }
        self.out.write_all(rest.as_bytes())
    }

    fn indent(&mut self) -> io::Result<()> {
        let blanks = BLANKS.get(..2 * self.depth).unwrap_or(BLANKS);
        self.out.write_all(blanks.as_bytes())
    }

    fn pieces(&mut self, pieces: &[&str]) -> io::Result<()> {
        pieces
            .iter()
            .try_for_each(|piece| self.out.write_all(piece.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(text: &str) -> String {
        let mut out = Vec::new();
        Xml::new(&mut out).leaf("a", text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn markup_in_text_is_text() {
        assert_eq!(leaf("<script>&"), "<a>&lt;script&gt;&amp;</a>\n");
        assert_eq!(leaf("]]>"), "<a>]]&gt;</a>\n");
        assert_eq!(leaf("&amp;ü&"), "<a>&amp;amp;ü&amp;</a>\n");
        assert_eq!(leaf("\"'"), "<a>\"'</a>\n");
    }

    #[test]
    fn elements_are_indented() {
        let mut out = Vec::new();
        let mut xml = Xml::new(&mut out);
        xml.open("a").unwrap();
        xml.number("b", u64::MAX).unwrap();
        xml.close("a").unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<a>\n  <b>18446744073709551615</b>\n</a>\n"
        );
    }
}
