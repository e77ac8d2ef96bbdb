use std::path::PathBuf;
use std::{fs, io};

/// Where figures go: a folder of the project's documentation.
pub(crate) fn figure(name: &str) -> io::Result<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/figures"));
    fs::create_dir_all(&folder)?;
    Ok(folder.join(name))
}

/// Lines of a CSV file. No cell has a comma, a quote or a line's end in it.
#[derive(Clone, Debug)]
pub(crate) struct Csv(String);

impl Csv {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        let mut csv = Self(String::new());
        csv.line(head.map(str::to_owned));
        csv
    }

    pub(crate) fn line<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push_str(&Vec::from(cells).join(","));
        self.0.push('\n');
    }

    pub(crate) fn write(&self, name: &str) -> io::Result<()> {
        fs::write(figure(name)?, &self.0)
    }
}
