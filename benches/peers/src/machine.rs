use std::process::Command;
use std::{env, fs, thread};

use crate::versions;

/// What the figures were measured on, and of which versions.
pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, |cores| cores.get());
    let machine = format!("{} ({cores} cores), {}, {}", cpu(), system(), rustc());
    format!("{machine}\n\n{}", versions::describe())
}

fn cpu() -> String {
    named("/proc/cpuinfo", "model name", ':')
}

fn system() -> String {
    let distribution = named("/etc/os-release", "PRETTY_NAME", '=');
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{distribution}, {} {}", env::consts::OS, kernel.trim())
}

fn rustc() -> String {
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    version.unwrap_or_else(|_| "rustc unknown".to_owned())
}

/// The value of a name in a file of names and values.
fn named(file: &str, name: &str, separator: char) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(separator));
    let mut values = lines.filter(|(key, _)| key.trim() == name);
    let value = values.next().map_or("unknown", |(_, value)| value);
    value.trim().trim_matches('"').to_owned()
}
