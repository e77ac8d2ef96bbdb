//! This very program in a process of its own, to be killed or to run out of disk.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Names the file of a child's store; only a child has it.
const FILE: &str = "FILE_STORE_OF_CHILD";
/// Lines of a child among those of the test harness.
const MARK: &str = "child: ";

/// The file, if this process is a child.
pub fn file_of_child() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// Tells the parent.
pub fn tell(line: &str) {
    // The harness has begun a line.
    println!("\n{MARK}{line}");
}

/// A child that runs one test of this program.
pub struct TestProcess {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl TestProcess {
    /// `wrapper` is the beginning of a command that runs the rest of it.
    pub fn start(wrapper: &[&str], test: &str, file: &Path) -> Self {
        let this = std::env::current_exe().unwrap();
        let this = this.to_str().unwrap();
        let arguments = [this, "--exact", test, "--ignored", "--nocapture"];
        let command: Vec<_> = wrapper.iter().copied().chain(arguments).collect();
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .env(FILE, file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the child tells next; `None` once it is gone.
    pub fn line(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.unwrap();
            if let Some(told) = line.strip_prefix(MARK) {
                return Some(told.to_owned());
            }
        }
    }

    /// Waits until it tells this.
    #[track_caller]
    pub fn wait_for(&mut self, awaited: &str) {
        while let Some(line) = self.line() {
            if line == awaited {
                return;
            }
        }
        panic!("the child has ended without telling {awaited:?}");
    }

    /// Ends it as a power switch would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
