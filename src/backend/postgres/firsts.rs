//! Requests that go together, of which several may be about one session.

use std::collections::HashSet;

use crate::token::SessionId;

/// The first request about each session is done, because a statement changes a row once. The others are
/// answered as if they had found nothing.
pub(super) struct Firsts<T> {
    all: Vec<(T, bool)>,
}

impl<T> Firsts<T> {
    /// `id` says which session a request is about.
    pub(super) fn of(all: Vec<T>, id: impl Fn(&T) -> SessionId) -> Self {
        let mut taken = HashSet::new();
        let all = all.into_iter().map(|one| {
            let is_first = taken.insert(id(&one));
            (one, is_first)
        });
        Self { all: all.collect() }
    }

    /// Those to be done.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let firsts = self.all.iter().filter(|(_, is_first)| *is_first);
        firsts.map(|(one, _)| one)
    }

    /// The answers to all, in their order, from what was found for those that were done.
    pub(super) fn answers<A: Default>(&self, find: impl Fn(&T) -> A) -> Vec<A> {
        let answer = |(one, is_first): &(T, bool)| match is_first {
            true => find(one),
            false => A::default(),
        };
        self.all.iter().map(answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_about_a_session_is_not_done_and_finds_nothing() {
        let all = vec![(1, 'a'), (2, 'b'), (1, 'c')];
        let firsts = Firsts::of(all, |(id, _)| SessionId::from_bytes([*id; 18]));
        assert_eq!(
            firsts.iter().map(|(_, name)| *name).collect::<String>(),
            "ab"
        );
        let answers = firsts.answers(|(_, name)| Some(*name));
        assert_eq!(answers, [Some('a'), Some('b'), None]);
    }
}
