//! The keys of the tags, which all nodes share.

use super::concurrency::together;
use super::fixture::Fixture;
use super::fresh::random;
use super::suite::Suite;
use super::violation::{Outcome, Violation, ensure, ensure_eq};
use crate::store::SessionStore;
use crate::time::Timestamp;
use crate::token::TagKey;

pub(super) async fn one_of_many_is_kept<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let (usable_from, known) = newer_than_all(suite).await?;
    let offers: Vec<_> = unused_ids(&known)
        .take(32)
        .map(|id| Ok(TagKey::new(id, random()?).usable_from(usable_from)))
        .collect::<Outcome<_>>()?;
    let asked = offers.iter().cloned().map(|offer| {
        let node = suite.node();
        async move { node.tag_keys(offer).await }
    });
    let answers = together(asked.collect()).await?;
    for answer in &answers {
        let kept: Vec<_> = offers.iter().filter(|key| answer.contains(key)).collect();
        ensure_eq!(kept.len(), 1, "offers that one caller sees kept");
        ensure!(
            offers
                .iter()
                .all(|key| answer.contains(key) == answers[0].contains(key)),
            "two callers see different keys"
        );
        ensure!(
            known.iter().all(|key| answer.contains(key)),
            "a key is lost"
        );
    }
    Ok(())
}

pub(super) async fn only_a_newer_one_is_added<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let (usable_from, known) = newer_than_all(suite).await?;
    let mut ids = unused_ids(&known);
    let mut key = |usable_from| match ids.next() {
        Some(id) => Ok(TagKey::new(id, random()?).usable_from(usable_from)),
        None => Err(Violation::new("the store has all 256 keys")),
    };
    let newer = key(usable_from)?;
    let as_new = key(usable_from)?;
    let older = key(Timestamp::from_millis(usable_from.as_millis() - 1))?;

    let answer = suite.store.tag_keys(newer.clone()).await?;
    ensure_eq!(answer.len(), known.len() + 1, "keys after a newer one");
    for offer in [newer.clone(), as_new, older] {
        let again = suite.store.tag_keys(offer).await?;
        ensure!(again.contains(&newer), "the newer key is lost");
        ensure_eq!(
            again.len(),
            answer.len(),
            "keys after one that is not newer"
        );
    }
    Ok(())
}

/// An instant for a key newer than all that the store has, which come along.
async fn newer_than_all<F: Fixture>(suite: &Suite<'_, F>) -> Outcome<(Timestamp, Vec<TagKey>)> {
    let oldest = TagKey::new(0, random()?);
    let known = suite.store.tag_keys(oldest).await?;
    // All that are there were made for a moment before this one.
    let now = suite.now().await?.after(suite.ticks(2));
    suite.wait_until(now).await?;
    Ok((now, known))
}

fn unused_ids(known: &[TagKey]) -> impl Iterator<Item = u8> {
    let used: Vec<_> = known.iter().map(TagKey::id).collect();
    (0..=u8::MAX).filter(move |id| !used.contains(id))
}
