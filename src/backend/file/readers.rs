//! Threads that read, so that a disk that hangs holds up no thread of a runtime.
//!
//! They are few, and take what waits together. With 64 loads at once that made five times as many a second
//! as tokio's threads for what blocks, and a fifteenth of their longest waits; one load alone takes 10 µs
//! either way, 2 µs of which are the read.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, available_parallelism};
use std::time::Duration;

use super::inner::Inner;
use super::read::Read;
use super::writer::Order;
use crate::store::StoreError;

/// Reads that one thread takes at once, so that the others have some, too.
const AT_ONCE: usize = 32;
/// A thread without work looks again from time to time, for no other reason than that it has to wait for
/// something.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How long a read waits for a file that is being opened anew. Nobody waits longer for an answer.
const REOPENING: Duration = Duration::from_secs(1);

pub(super) fn start(inner: &Arc<Inner>) -> io::Result<()> {
    for _ in 0..count() {
        let inner = Arc::clone(inner);
        let thread = Builder::new().name("session-reader".into());
        thread.spawn(move || run(&inner))?;
    }
    Ok(())
}

/// How many threads read.
pub(super) fn count() -> usize {
    available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4))
}

fn run(inner: &Inner) {
    while let Some(mut batch) = inner.reads.take(AT_ONCE, PATIENCE) {
        if answer(inner, &mut batch).is_ok() {
            continue;
        }
        // Only the writer opens a file anew.
        let _ = inner.writes.push(Order::LookAfterTheFile);
        inner.disk.wait_while_faulty(REOPENING);
        if let Err(error) = answer(inner, &mut batch) {
            batch.into_iter().for_each(|read| read.fail(&error));
        }
    }
}

/// Answers those that are not answered yet.
fn answer(inner: &Inner, batch: &mut [Box<dyn Read>]) -> Result<(), StoreError> {
    inner.disk.with(|database| {
        let reading = database.begin_read()?;
        batch.iter_mut().try_for_each(|read| read.run(&reading))
    })
}
