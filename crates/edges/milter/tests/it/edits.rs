//! Edits do what they say, with every MTA's way of counting.

use landmarc_milter::Edit;
use landmarc_testkit::mta::{Fields, Mail, Mta, Numbering, Offer, apply};

use crate::recorder::{Running, Script};

const AR: &str = "Authentication-Results";

fn fields(list: &[(&str, &str)]) -> Fields {
    list.iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// The fields of a message after its delivery, with either MTA.
fn edited(before: &Fields, edits: &[Edit]) -> [Fields; 2] {
    [
        (Offer::POSTFIX, Numbering::Anew),
        (Offer::SENDMAIL_8_12, Numbering::Kept),
    ]
    .map(|(offer, numbering)| {
        let server = Running::start(Script::edits(edits.to_vec()));
        let mut mta = Mta::connect_with(&server.address, offer).unwrap();
        let mut mail = Mail::plain();
        mail.fields.clone_from(before);
        let outcome = mta.deliver(&mail).unwrap();
        mta.quit().unwrap();
        let mut after = apply(&outcome.edits, before, numbering);
        if numbering == Numbering::Kept {
            // An MTA that keeps no blanks puts one before each value it is given.
            for (_, value) in after.iter_mut().filter(|(_, value)| !value.starts_with(b" ")) {
                value.insert(0, b' ');
            }
        }
        after
    })
}

fn delete(name: &str, nth: u32) -> Edit {
    Edit::DeleteHeader {
        name: name.into(),
        nth,
    }
}

#[test]
fn every_field_to_be_deleted_is_deleted_in_whatever_order_it_was_asked() {
    let before = fields(&[
        (AR, " one"),
        ("From", " a"),
        ("authentication-results", " two"),
        (AR, " kept"),
        (AR, " four"),
        ("Subject", " s"),
    ]);
    let after = fields(&[("From", " a"), (AR, " kept")]);
    let asked = [delete(AR, 1), delete("Subject", 1), delete(AR, 2), delete(AR, 4)];
    for turn in 0..asked.len() {
        let mut edits = asked.to_vec();
        edits.rotate_left(turn);
        // Asked for twice, and by another spelling, it is still one deletion.
        edits.push(delete("AUTHENTICATION-RESULTS", 1));
        for result in edited(&before, &edits) {
            assert_eq!(result, after, "turn {turn}");
        }
    }
}

#[test]
fn our_own_field_survives_the_deletion_of_forged_ones() {
    let before = fields(&[(AR, " forged"), ("From", " a"), (AR, " forged")]);
    let ours = Edit::InsertHeader {
        index: 0,
        name: AR.into(),
        value: "mx.example; dmarc=pass".into(),
    };
    for result in edited(&before, &[ours, delete(AR, 1), delete(AR, 2)]) {
        assert_eq!(result, fields(&[(AR, " mx.example; dmarc=pass"), ("From", " a")]));
    }
}

#[test]
fn changes_count_the_fields_as_they_came() {
    let before = fields(&[("X", " 1"), ("X", " 2"), ("X", " 3")]);
    let change = Edit::ChangeHeader {
        name: "X".into(),
        nth: 3,
        value: "three".into(),
    };
    let add = Edit::AddHeader {
        name: "Y".into(),
        value: "a;\r\n\tb".into(),
    };
    for result in edited(&before, &[delete("X", 1), add, change]) {
        assert_eq!(result, fields(&[("X", " 2"), ("X", " three"), ("Y", " a;\n\tb")]));
    }
}

#[test]
fn of_several_fields_inserted_on_top_the_last_is_topmost() {
    let insert = |value: &str| Edit::InsertHeader {
        index: 0,
        name: "X".into(),
        value: value.into(),
    };
    for result in edited(&fields(&[("A", " 1")]), &[insert("first"), insert("second")]) {
        assert_eq!(result, fields(&[("X", " second"), ("X", " first"), ("A", " 1")]));
    }
}
