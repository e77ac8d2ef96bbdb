//! The load generator `wrk`, with requests as mini programs send them.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs, io};

use http::HeaderMap;

use crate::requests::headers;

const INSTALL: &str = "this part needs wrk to make load: install it (Debian and Ubuntu: \
                       apt-get install -y wrk; macOS: brew install wrk) and try again";

/// One thread with 32 connections, which sends these credentials in turn.
pub(crate) struct Wrk {
    script: PathBuf,
    /// What comes before the command, such as `taskset -c 1`.
    prefix: Vec<String>,
}

impl Wrk {
    /// Writes the requests for it to send.
    pub(crate) fn new(credentials: &[String], prefix: &[&str]) -> Result<Self, String> {
        Command::new("wrk")
            .arg("-v")
            .output()
            .map_err(|_| INSTALL)?;
        let name = format!("peers-wrk-{}.lua", std::process::id());
        let script = env::temp_dir().join(name);
        fs::write(&script, lua(credentials)).map_err(|error| error.to_string())?;
        Ok(Self {
            script,
            prefix: prefix.iter().map(ToString::to_string).collect(),
        })
    }

    /// Has this URL answer for so long, all of it well.
    pub(crate) fn load(&self, url: &str, seconds: u32) -> Result<Load, String> {
        let output = self.run(url, seconds).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let has_failed = ["Non-2xx", "Socket errors"]
            .iter()
            .any(|bad| text.contains(bad));
        if has_failed || !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("wrk met with errors:\n{text}{errors}"));
        }
        Load::read(&text).ok_or_else(|| format!("wrk gives no rate:\n{text}"))
    }

    fn run(&self, url: &str, seconds: u32) -> io::Result<Output> {
        let duration = format!("-d{seconds}s");
        let prefix: Vec<_> = self.prefix.iter().map(String::as_str).collect();
        let mut command = pinned(&prefix, Path::new("wrk"));
        command.args(["-t1", "-c32", &duration, "-s"]);
        command.arg(&self.script).arg(url).output()
    }
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    /// Requests per second.
    pub(crate) rate: f64,
}

impl Load {
    fn read(report: &str) -> Option<Self> {
        let mut lines = report.lines().map(str::trim);
        let requests = lines
            .clone()
            .find_map(|line| line.split_once(" requests in "));
        let rate = lines.find_map(|line| line.strip_prefix("Requests/sec:"));
        Some(Self {
            requests: requests?.0.parse().ok()?,
            rate: rate?.trim().parse().ok()?,
        })
    }
}

impl Drop for Wrk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.script);
    }
}

/// A command with words in front of it that say where it runs.
pub(crate) fn pinned(prefix: &[&str], program: &Path) -> Command {
    match prefix {
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        [] => Command::new(program),
    }
}

/// Requests are put together once, and sent as they are.
fn lua(credentials: &[String]) -> String {
    let mut script = String::from("local headers, requests, next = {}, {}, 0\n");
    let common = table(&headers());
    for value in credentials {
        let _ = writeln!(
            script,
            "headers[#headers + 1] = {{{common}authorization={value:?}}}"
        );
    }
    script.push_str(
        "function init()\n\
         for i, each in ipairs(headers) do requests[i] = wrk.format('GET', nil, each) end\n\
         end\n\
         function request()\n\
         next = next % #requests + 1\n\
         return requests[next]\n\
         end\n",
    );
    script
}

fn table(headers: &HeaderMap) -> String {
    let mut table = String::new();
    for (name, value) in headers {
        let value = value.to_str().unwrap_or_default();
        let _ = write!(table, "[{:?}]={value:?},", name.as_str());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_how_many_requests_were_answered() {
        let report = "  1 threads and 32 connections\n  229354 requests in 2.00s, 27.56MB read\n\
                      Requests/sec: 114647.79\nTransfer/sec:     13.78MB\n";
        let load = Load {
            requests: 229_354.0,
            rate: 114_647.79,
        };
        assert_eq!(Load::read(report), Some(load));
        assert_eq!(Load::read("unable to connect"), None);
    }
}
