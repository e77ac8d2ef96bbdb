//! The platform's session_keys of a user.

use std::time::Duration;

use super::fixture::Fixture;
use super::fresh::{neighbours, user};
use super::suite::{LONG, Suite};
use super::violation::{Outcome, ensure_eq};
use crate::identity::Identity;
use crate::store::{PutSessionKey, SessionStore};
use crate::time::Timestamp;

pub(super) async fn a_user_has_the_newest_and_those_before_it<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let user = user()?;
    are(suite, &user, &[]).await?;
    put(suite, &user, b"first", LONG, LONG).await?;
    are(suite, &user, &[b"first"]).await?;
    put(suite, &user, b"\0\xff second", LONG, LONG).await?;
    are(suite, &user, &[b"\0\xff second", b"first"]).await?;
    put(suite, &user, b"third", LONG, LONG).await?;
    are(suite, &user, &[b"third", b"\0\xff second", b"first"]).await?;
    for key in [b"4", b"5", b"6"] {
        put(suite, &user, key, LONG, LONG).await?;
    }
    let five: [&[u8]; 5] = [b"6", b"5", b"4", b"third", b"\0\xff second"];
    are(suite, &user, &five).await
}

pub(super) async fn the_newest_is_that_of_the_login_that_began_last<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let user = user()?;
    let start = suite.now().await?;
    suite.wait_until(start.after(suite.ticks(9))).await?;
    for (key, ticks, expected) in [
        (b"b", 4, &[&b"b"[..]][..]),
        (b"a", 3, &[b"b", b"a"]),
        (b"c", 5, &[b"c", b"b", b"a"]),
        (b"B", 4, &[b"c", b"B", b"b", b"a"]),
        (b"d", 6, &[b"d", b"c", b"B", b"b", b"a"]),
        (b"0", 2, &[b"d", b"c", b"B", b"b", b"a"]),
        (b"e", 7, &[b"e", b"d", b"c", b"B", b"b"]),
    ] {
        let began = start.after(suite.ticks(ticks));
        put_began(suite, &user, key, (LONG, LONG), began).await?;
        are(suite, &user, expected).await?;
    }
    // A clock that is ahead does not win for good.
    let ahead = suite.now().await?.after(LONG);
    put_began(suite, &user, b"ahead", (LONG, LONG), ahead).await?;
    suite
        .wait_until(suite.now().await?.after(suite.ticks(1)))
        .await?;
    put(suite, &user, b"last", LONG, LONG).await?;
    are(suite, &user, &[b"last", b"ahead", b"e", b"d", b"c"]).await
}

pub(super) async fn each_one_is_kept_once<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let user = user()?;
    let start = suite.now().await?;
    suite.wait_until(start.after(suite.ticks(9))).await?;
    for (key, ticks, expected) in [
        (b"a", 3, &[&b"a"[..]][..]),
        (b"b", 4, &[b"b", b"a"]),
        (b"a", 5, &[b"a", b"b"]),
        (b"a", 2, &[b"a", b"b"]),
        (b"b", 3, &[b"a", b"b"]),
    ] {
        let began = start.after(suite.ticks(ticks));
        put_began(suite, &user, key, (LONG, LONG), began).await?;
        are(suite, &user, expected).await?;
    }
    Ok(())
}

pub(super) async fn the_newest_one_again_leaves_the_previous_one_alone<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let user = user()?;
    let start = suite.now().await?;
    put(suite, &user, b"old", LONG, LONG).await?;
    put(suite, &user, b"new", suite.ticks(6), LONG).await?;
    put(suite, &user, b"new", LONG, Duration::ZERO).await?;
    are(suite, &user, &[b"new", b"old"]).await?;
    suite.wait_until(start.after(suite.ticks(8))).await?;
    are(suite, &user, &[b"new", b"old"]).await
}

pub(super) async fn they_expire<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let user = user()?;
    put(suite, &user, b"old", LONG, LONG).await?;
    put(suite, &user, b"new", suite.ticks(12), suite.ticks(6)).await?;
    let put_at = suite.now().await?;
    are(suite, &user, &[b"new", b"old"]).await?;
    suite.wait_until(put_at.after(suite.ticks(6))).await?;
    are(suite, &user, &[b"new"]).await?;
    suite.wait_until(put_at.after(suite.ticks(12))).await?;
    are(suite, &user, &[]).await?;

    // Replacing a key never prolongs it.
    put(suite, &user, b"short", suite.ticks(4), LONG).await?;
    put(suite, &user, b"long", LONG, LONG).await?;
    let put_at = suite.now().await?;
    suite.wait_until(put_at.after(suite.ticks(4))).await?;
    are(suite, &user, &[b"long"]).await?;

    // One that comes late is not the newest for a moment, and is kept no longer for that.
    let began = suite.tick_before(put_at);
    put_began(suite, &user, b"late", (LONG, suite.ticks(4)), began).await?;
    let put_at = suite.now().await?;
    are(suite, &user, &[b"long", b"late"]).await?;
    suite.wait_until(put_at.after(suite.ticks(4))).await?;
    are(suite, &user, &[b"long"]).await
}

pub(super) async fn they_are_of_one_user_in_one_app<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let (one, neighbour) = neighbours()?;
    let elsewhere = Identity::new("wx-conformance-2", one.openid());
    put(suite, &one, b"one", LONG, LONG).await?;
    put(suite, &neighbour, b"neighbour", LONG, LONG).await?;
    put(suite, &elsewhere, b"elsewhere", LONG, LONG).await?;
    are(suite, &one, &[b"one"]).await?;
    are(suite, &neighbour, &[b"neighbour"]).await?;
    are(suite, &elsewhere, &[b"elsewhere"]).await
}

async fn put<F: Fixture>(
    suite: &Suite<'_, F>,
    user: &Identity,
    key: &[u8],
    keep: Duration,
    keep_previous: Duration,
) -> Outcome {
    let put = to_put(user, key, (keep, keep_previous));
    Ok(suite.store.put_session_key(put).await?)
}

async fn put_began<F: Fixture>(
    suite: &Suite<'_, F>,
    user: &Identity,
    key: &[u8],
    keep: (Duration, Duration),
    began: Timestamp,
) -> Outcome {
    let put = to_put(user, key, keep).began_at(began);
    Ok(suite.store.put_session_key(put).await?)
}

fn to_put(
    user: &Identity,
    key: &[u8],
    (keep, keep_previous): (Duration, Duration),
) -> PutSessionKey {
    let mut fingerprint = [0; 16];
    fingerprint
        .iter_mut()
        .zip(key)
        .for_each(|(to, from)| *to = *from);
    PutSessionKey::new(user.clone(), key.to_vec(), fingerprint, keep, keep_previous)
}

async fn are<F: Fixture>(suite: &Suite<'_, F>, user: &Identity, expected: &[&[u8]]) -> Outcome {
    let keys = suite.store.session_keys(user.clone()).await?;
    ensure_eq!(keys, expected, "the session_keys, newest first");
    Ok(())
}
