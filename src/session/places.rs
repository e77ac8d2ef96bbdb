use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::{Known, Record, Stamp};
use crate::identity::Identity;
use crate::time::Timestamp;
use crate::token::SessionId;

/// So many are made at a time: 10 KiB for each thread.
const AT_ONCE: usize = 64;

/// Puts what is known of a session next to what is known of others.
///
/// An allocator such as glibc's puts side by side what is allocated one after the other. With each
/// session moka allocates, too, and so does a store that is in this process: sessions would lie in
/// three to five times as many pages of memory as they fill, and a processor keeps the addresses of
/// few pages (its TLB). So places are allocated many at a time, and filled one by one.
pub(super) fn place(known: Known) -> Arc<Known> {
    thread_local!(static FREE: RefCell<Vec<Arc<Known>>> = const { RefCell::new(Vec::new()) });
    // None where the thread is about to end.
    let free = FREE.try_with(|free| next(&mut free.borrow_mut()));
    match free.ok().flatten() {
        Some(free) => fill(free, known),
        None => Arc::new(known),
    }
}

fn next(free: &mut Vec<Arc<Known>>) -> Option<Arc<Known>> {
    if free.is_empty() {
        free.extend((0..AT_ONCE).map(|_| Arc::new(of_nobody())));
    }
    free.pop()
}

fn fill(mut free: Arc<Known>, known: Known) -> Arc<Known> {
    match Arc::get_mut(&mut free) {
        Some(place) => *place = known,
        // Never: nobody else has it.
        None => return Arc::new(known),
    }
    free
}

fn of_nobody() -> Known {
    let (nobody, never) = (Identity::of("", ""), Duration::ZERO);
    let record = Record::issued(nobody, Timestamp::default(), never, never, None);
    Known::new(SessionId::from_bytes([0; 18]), record, Stamp::default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn sessions_lie_together_whatever_is_allocated_between_them() {
        // So many that what other tests have left free does not matter.
        const SESSIONS: usize = 200 * AT_ONCE;
        let between = |_| (place(of_nobody()), vec![1_u8; 1024]);
        let made: Vec<_> = (0..SESSIONS).map(between).collect();
        let page = |(known, _): &(Arc<Known>, Vec<u8>)| Arc::as_ptr(known).addr() / 4096;
        let pages: HashSet<_> = made.iter().map(page).collect();
        // One in 25 where they fill their pages, one in 3.5 where they do not.
        assert!(pages.len() < SESSIONS / 8, "{}", pages.len());
    }
}
