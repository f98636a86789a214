//! Aligned tables, which keep within the width of a terminal.

use landmarc_mail::text::visible;

/// Between two columns.
const GAP: usize = 2;
/// Stands where something was left out.
const ELLIPSIS: char = '…';

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// What stands on top.
    pub(crate) name: &'static str,
    /// The higher it is, the sooner the column is left out where the terminal is narrow; 0 never is.
    pub(crate) rank: u8,
    /// It is never made narrower than this, or than its name.
    pub(crate) least: usize,
    /// What goes when a cell is too long.
    pub(crate) cut: Cut,
}

/// Which end of a long cell is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// The beginning: the last labels of a domain name tell more.
    Start,
    /// The end.
    End,
    /// Nothing: it goes on below.
    Wrap,
}

/// A column of this name, rank and least width.
pub(crate) const fn column(name: &'static str, rank: u8, least: usize, cut: Cut) -> Column {
    Column {
        name,
        rank,
        least,
        cut,
    }
}

/// The table of these rows; `cell` says what stands in the column of a name.
pub(crate) fn of_rows<R>(
    columns: &[Column],
    rows: &[R],
    cell: impl Fn(&R, &str) -> String,
    width: Option<usize>,
) -> String {
    let cells = |row| columns.iter().map(|column| cell(row, column.name)).collect();
    render(columns, &rows.iter().map(cells).collect::<Vec<_>>(), width)
}

/// The table with its head; nothing without rows. A row has a cell for each column. Without a width nothing is left
/// out or shortened, and the cells can be taken apart at blanks but for the last.
fn render(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| visible(cell).into_owned()).collect())
        .collect();
    let widths = widths(columns, &natural(columns, &rows), width);
    let mut text = line(columns, columns.iter().map(|column| column.name), &widths);
    for row in &rows {
        for cells in wrapped(columns, row, &widths) {
            text.push_str(&line(columns, cells.iter().map(String::as_str), &widths));
        }
    }
    text
}

/// How wide each column would like to be.
fn natural(columns: &[Column], rows: &[Vec<String>]) -> Vec<usize> {
    let of_column = |(place, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(place));
        let longest = cells.map(|cell| cell.chars().count()).max();
        longest.unwrap_or(0).max(column.name.len())
    };
    columns.iter().enumerate().map(of_column).collect()
}

/// How wide each column is; none when it is left out.
fn widths(columns: &[Column], natural: &[usize], width: Option<usize>) -> Vec<Option<usize>> {
    let Some(width) = width else {
        return natural.iter().copied().map(Some).collect();
    };
    let mut by_rank: Vec<usize> = (0..columns.len()).collect();
    by_rank.sort_by_key(|place| columns.get(*place).map(|column| column.rank));
    let mut widths = vec![None; columns.len()];
    let mut taken = 0;
    for &place in &by_rank {
        let (Some(column), Some(natural)) = (columns.get(place), natural.get(place)) else {
            continue;
        };
        let least = column.least.max(column.name.len()).min(*natural);
        let gap = if taken == 0 { 0 } else { GAP };
        if column.rank > 0 && taken + gap + least > width {
            // One that matters less does not come in its place.
            break;
        }
        taken += gap + least;
        if let Some(slot) = widths.get_mut(place) {
            *slot = Some(least);
        }
    }
    share(&by_rank, natural, &mut widths, width.saturating_sub(taken));
    widths
}

/// Gives what is left of the terminal to the columns, those that matter most first.
fn share(by_rank: &[usize], natural: &[usize], widths: &mut [Option<usize>], mut spare: usize) {
    for &place in by_rank {
        let natural = natural.get(place).copied().unwrap_or(0);
        if let Some(Some(width)) = widths.get_mut(place) {
            let more = natural.saturating_sub(*width).min(spare);
            *width += more;
            spare -= more;
        }
    }
}

fn line<'a>(columns: &[Column], cells: impl Iterator<Item = &'a str>, widths: &[Option<usize>]) -> String {
    let mut text = String::new();
    for ((cell, column), width) in cells.zip(columns).zip(widths) {
        let Some(width) = *width else {
            continue;
        };
        text.push_str(&format!("{:<width$}", shortened(cell, column.cut, width)));
        text.push_str(&" ".repeat(GAP));
    }
    format!("{}\n", text.trim_end())
}

/// A row in lines: where a cell goes on below, all the others are empty there.
fn wrapped(columns: &[Column], row: &[String], widths: &[Option<usize>]) -> Vec<Vec<String>> {
    let pieces = |((cell, column), width): ((&String, &Column), &Option<usize>)| match (column.cut, width) {
        (Cut::Wrap, Some(width)) => broken(cell, *width),
        _ => vec![cell.clone()],
    };
    let cells: Vec<_> = row.iter().zip(columns).zip(widths).map(pieces).collect();
    let lines = cells.iter().map(Vec::len).max().unwrap_or(0);
    let of_line = |line: usize| {
        let piece = |pieces: &Vec<String>| pieces.get(line).cloned().unwrap_or_default();
        cells.iter().map(piece).collect()
    };
    (0..lines).map(of_line).collect()
}

/// The text in pieces of this width at most, broken at blanks where there are any.
fn broken(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut pieces = Vec::new();
    let (mut piece, mut length) = (String::new(), 0);
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let gap = usize::from(length > 0);
        if length > 0 && length + gap + word.len() > width {
            pieces.push(std::mem::take(&mut piece));
            length = 0;
        }
        if length > 0 {
            piece.push(' ');
            length += 1;
        }
        while word.len() > width {
            let rest = word.split_off(width);
            pieces.push(word.into_iter().collect());
            word = rest;
        }
        length += word.len();
        piece.extend(word);
    }
    pieces.push(piece);
    pieces
}

fn shortened(cell: &str, cut: Cut, width: usize) -> String {
    let length = cell.chars().count();
    if length <= width {
        return cell.to_owned();
    }
    let kept = width.saturating_sub(1);
    match cut {
        Cut::End | Cut::Wrap => cell.chars().take(kept).chain([ELLIPSIS]).collect(),
        Cut::Start => [ELLIPSIS]
            .into_iter()
            .chain(cell.chars().skip(length - kept))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column {
            name: "id",
            rank: 0,
            least: 4,
            cut: Cut::End,
        },
        Column {
            name: "domain",
            rank: 0,
            least: 8,
            cut: Cut::Start,
        },
        Column {
            name: "cause",
            rank: 1,
            least: 6,
            cut: Cut::End,
        },
    ];

    fn table(width: Option<usize>) -> String {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["1234", "a.mail.example.com", "nobody vouches for it"]),
            row(["12", "-", "-"]),
        ];
        render(&COLUMNS, &rows, width)
    }

    #[test]
    fn without_a_width_nothing_is_left_out() {
        insta::assert_snapshot!(table(None), @r"
        id    domain              cause
        1234  a.mail.example.com  nobody vouches for it
        12    -                   -
        ");
        assert_eq!(table(Some(47)), table(None));
        assert_eq!(table(Some(1_000)), table(None));
    }

    #[test]
    fn a_terminal_gets_what_fits_and_what_matters_most_is_widest() {
        insta::assert_snapshot!(table(Some(46)), @r"
        id    domain              cause
        1234  a.mail.example.com  nobody vouches for …
        12    -                   -
        ");
        insta::assert_snapshot!(table(Some(22)), @r"
        id    domain    cause
        1234  …ple.com  nobod…
        12    -         -
        ");
        for width in 22..47 {
            let longest = table(Some(width)).lines().map(|line| line.chars().count()).max();
            assert_eq!(longest, Some(width));
        }
    }

    #[test]
    fn a_narrow_terminal_loses_columns_but_never_the_first() {
        insta::assert_snapshot!(table(Some(21)), @r"
        id    domain
        1234  …il.example.com
        12    -
        ");
        assert_eq!(table(Some(0)), table(Some(14)));
    }

    #[test]
    fn what_a_stranger_wrote_cannot_steer_the_terminal() {
        let rows = [vec!["\u{1b}[2J".to_owned(), "a\nb".to_owned(), "-".to_owned()]];
        let text = render(&COLUMNS, &rows, None);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("\\u{1b}[2J  a\\nb"), "{text}");
    }

    #[test]
    fn a_reason_goes_on_below_and_nothing_of_it_is_lost() {
        let text = "dmarc@example.com: the host takes no mail";
        for width in 1..=text.len() + 1 {
            let pieces = broken(text, width);
            assert!(
                pieces.iter().all(|piece| piece.chars().count() <= width),
                "{width}"
            );
            let letters = |text: &str| text.replace(' ', "");
            assert_eq!(letters(&pieces.concat()), letters(text), "{width}");
        }
        assert_eq!(broken("", 8), [""]);
        let columns = [
            COLUMNS[0],
            Column {
                cut: Cut::Wrap,
                ..COLUMNS[1]
            },
        ];
        let rows = [vec!["1".to_owned(), text.to_owned()]];
        insta::assert_snapshot!(render(&columns, &rows, Some(24)), @r"
        id  domain
        1   dmarc@example.com:
            the host takes no
            mail
        ");
    }
}
