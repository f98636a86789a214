//! What an MTA does with the edits of a filter.

use super::wire::{Packet, Reader};

/// Header fields, from the top: name and value, with the blank after the colon.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// One edit, as it came; values with the blank only if the filter sent one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A field at a position, counted from 0.
    Insert {
        /// Where.
        index: u32,
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// A field at the end.
    Add {
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Another value for a field, or, when empty, its end.
    Change {
        /// Which one of that name, counted from 1.
        nth: u32,
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// The message is to be put aside.
    Quarantine(Vec<u8>),
    /// One recipient more.
    AddRcpt(Vec<u8>),
    /// The same, with parameters of RCPT TO.
    AddRcptWithParameters {
        /// The recipient.
        path: Vec<u8>,
        /// Its parameters.
        parameters: Vec<u8>,
    },
}

impl Edit {
    /// Reads an edit; `None` when the packet is something else, or malformed.
    pub(super) fn read(packet: &Packet) -> Option<Self> {
        let mut reader = Reader(&packet.content);
        let text = |reader: &mut Reader<'_>| reader.text().map(<[u8]>::to_vec);
        let edit = match packet.code {
            b'i' => Self::Insert {
                index: reader.number()?,
                name: text(&mut reader)?,
                value: text(&mut reader)?,
            },
            b'h' => Self::Add {
                name: text(&mut reader)?,
                value: text(&mut reader)?,
            },
            b'm' => Self::Change {
                nth: reader.number()?,
                name: text(&mut reader)?,
                value: text(&mut reader)?,
            },
            b'q' => Self::Quarantine(text(&mut reader)?),
            b'+' => Self::AddRcpt(text(&mut reader)?),
            b'2' => Self::AddRcptWithParameters {
                path: text(&mut reader)?,
                parameters: text(&mut reader)?,
            },
            _ => return None,
        };
        reader.0.is_empty().then_some(edit)
    }
}

/// How an MTA counts fields while it edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// Postfix: anew after each edit.
    Anew,
    /// Sendmail: a deleted field still counts.
    Kept,
}

/// The fields after the edits, done one after the other.
#[must_use]
pub fn apply(edits: &[Edit], fields: &Fields, numbering: Numbering) -> Fields {
    let mut slots: Vec<Option<(Vec<u8>, Vec<u8>)>> = fields.iter().cloned().map(Some).collect();
    // The names of deleted fields, for those who count them still.
    let mut names: Vec<Vec<u8>> = fields.iter().map(|(name, _)| name.clone()).collect();
    for edit in edits {
        match edit {
            Edit::Insert { index, name, value } => {
                let at = position(&slots, *index);
                slots.insert(at, Some((name.clone(), value.clone())));
                names.insert(at, name.clone());
            }
            Edit::Add { name, value } => {
                slots.push(Some((name.clone(), value.clone())));
                names.push(name.clone());
            }
            Edit::Change { nth, name, value } => {
                let counted = (0..slots.len()).filter(|at| {
                    names[*at].eq_ignore_ascii_case(name)
                        && (numbering == Numbering::Kept || slots[*at].is_some())
                });
                let nth = usize::try_from(*nth).unwrap_or(usize::MAX);
                if let Some(at) = nth.checked_sub(1).and_then(|nth| counted.into_iter().nth(nth)) {
                    slots[at] = (!value.is_empty()).then(|| (name.clone(), value.clone()));
                }
            }
            Edit::Quarantine(_) | Edit::AddRcpt(_) | Edit::AddRcptWithParameters { .. } => {}
        }
    }
    slots.into_iter().flatten().collect()
}

/// The slot before which a field comes that is to have `index` fields above it.
fn position<T>(slots: &[Option<T>], index: u32) -> usize {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| slot.is_some())
        .map(|(at, _)| at)
        .nth(index)
        .unwrap_or(slots.len())
}

/// The fields of a header section with CRLF line ends; folds become LF.
pub(super) fn split_fields(head: &[u8]) -> Fields {
    let text = head.to_vec();
    let mut fields: Fields = Vec::new();
    for line in text.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let (Some((_, value)), Some(b' ' | b'\t')) = (fields.last_mut(), line.first()) {
            value.push(b'\n');
            value.extend_from_slice(line);
        } else if let Some(colon) = line.iter().position(|b| *b == b':') {
            fields.push((line[..colon].to_vec(), line[colon + 1..].to_vec()));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> Fields {
        list.iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect()
    }

    fn delete(nth: u32) -> Edit {
        Edit::Change {
            nth,
            name: b"a".to_vec(),
            value: Vec::new(),
        }
    }

    #[test]
    fn postfix_counts_anew_and_sendmail_does_not() {
        let three = fields(&[("A", "1"), ("B", "x"), ("A", "2"), ("A", "3")]);
        let ascending = [delete(1), delete(2)];
        assert_eq!(
            apply(&ascending, &three, Numbering::Anew),
            fields(&[("B", "x"), ("A", "2")])
        );
        assert_eq!(
            apply(&ascending, &three, Numbering::Kept),
            fields(&[("B", "x"), ("A", "3")])
        );
    }

    #[test]
    fn fields_are_inserted_among_those_that_are_left() {
        let two = fields(&[("A", "1"), ("B", "2")]);
        let insert = |index| Edit::Insert {
            index,
            name: b"X".to_vec(),
            value: b"v".to_vec(),
        };
        let x = ("X", "v");
        assert_eq!(
            apply(&[insert(0)], &two, Numbering::Anew),
            fields(&[x, ("A", "1"), ("B", "2")])
        );
        assert_eq!(
            apply(&[insert(9)], &two, Numbering::Anew),
            fields(&[("A", "1"), ("B", "2"), x])
        );
        assert_eq!(
            apply(&[delete(1), insert(1)], &two, Numbering::Kept),
            fields(&[("B", "2"), x])
        );
    }

    #[test]
    fn folds_reach_the_filter_as_line_feeds() {
        assert_eq!(
            split_fields(b"A: 1\r\n\t2\r\nB:3"),
            fields(&[("A", " 1\n\t2"), ("B", "3")])
        );
    }
}
