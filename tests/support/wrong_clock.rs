//! A wall clock for a program of its own, which a test sets while the program runs. Only on Linux.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub struct WrongClock {
    directory: PathBuf,
}

impl WrongClock {
    /// One that is right for now. It is built in this directory, which is removed with it.
    pub fn new(directory: PathBuf) -> Self {
        let clock = Self { directory };
        clock.set_hours(0);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/wrong_clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        let built = compiler.arg(clock.library()).arg(source).status();
        assert!(built.expect("a C compiler").success());
        clock
    }

    /// Has it be ahead by so many hours, or behind.
    pub fn set_hours(&self, ahead: i32) {
        // Renamed, so that nobody reads half of it.
        let (new, file) = (self.directory.join("new"), self.file());
        fs::write(&new, (ahead * 3600).to_string()).unwrap();
        fs::rename(new, file).unwrap();
    }

    /// What a program needs in its environment to go by it.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        [
            ("LD_PRELOAD", text(self.library())),
            ("WRONG_CLOCK", text(self.file())),
        ]
    }

    fn library(&self) -> PathBuf {
        self.directory.join("wrong_clock.so")
    }

    fn file(&self) -> PathBuf {
        self.directory.join("seconds")
    }
}

impl Drop for WrongClock {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
