use std::fmt::Display;
use std::time::Duration;
use std::{fs, io};

/// What a process has had of the processor for its main thread, or `thread-self`, as the kernel says.
pub(crate) fn processor_time(of: impl Display) -> io::Result<Duration> {
    let scheduled = fs::read_to_string(format!("/proc/{of}/schedstat"))?;
    let nanos = scheduled.split(' ').next().and_then(|n| n.parse().ok());
    let nanos = nanos.ok_or_else(|| io::Error::other("no time in schedstat"))?;
    Ok(Duration::from_nanos(nanos))
}
