use std::fmt;

/// A table in Markdown, its columns as wide as what is in them: text to the left, figures to the
/// right.
#[derive(Clone, Debug)]
pub(crate) struct TextTable {
    rows: Vec<Vec<String>>,
}

impl TextTable {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        let head = head.map(str::to_owned).to_vec();
        Self { rows: vec![head] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |column: usize| {
            let cells = self
                .rows
                .iter()
                .map(|row: &Vec<String>| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        (0..self.rows[0].len()).map(widest).collect()
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:<width$} ")?,
                    _ => write!(f, "| {cell:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                rule(f, &widths)?;
            }
        }
        Ok(())
    }
}

fn rule(f: &mut fmt::Formatter<'_>, widths: &[usize]) -> fmt::Result {
    for (column, width) in widths.iter().enumerate() {
        let dashes = "-".repeat(width + 1);
        match column {
            0 => write!(f, "|{dashes}-")?,
            _ => write!(f, "|{dashes}:")?,
        }
    }
    writeln!(f, "|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = TextTable::new(["row", "ns"]);
        table.row(["longer".to_owned(), "1234".to_owned()]);
        let text = "| row    |   ns |\n|--------|-----:|\n| longer | 1234 |\n";
        assert_eq!(table.to_string(), text);
    }
}
