//! What an insert keeps, and whom it pushes out.

use super::concurrency::together;
use super::fixture::Fixture;
use super::fresh::{id_of, random, user};
use super::suite::{LONG, Suite, sorted};
use super::violation::{Outcome, Violation, ensure, ensure_eq};
use crate::identity::Identity;
use crate::session::{EndReason, Record};
use crate::store::{Insert, Inserted, Loaded, Retire, Revoke, RevokeReason, SessionStore};

pub(super) async fn a_new_session_is_live<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let session = suite.long_session().await?;
    ensure_eq!(suite.live(session.id).await?, session.record, "its record");
    let list = suite.store.list(session.user()).await?;
    ensure_eq!(list, [(session.id, session.record)], "its user's list");
    Ok(())
}

pub(super) async fn a_taken_id_changes_nothing<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let session = suite.long_session().await?;
    let other = suite.long_session_of(&session.user()).await?;
    let mut record = session.record.clone();
    record.data = Some("\"other\"".into());
    let mut insert = Insert::new(session.id, record);
    insert.cap = Some(1);
    insert.retire = Some(Retire::new(other.id, LONG));

    ensure_eq!(
        suite.store.insert(insert).await?,
        Inserted::Taken,
        "the same id again"
    );
    for kept in [&session, &other] {
        ensure_eq!(suite.live(kept.id).await?, kept.record, "a record");
    }
    Ok(())
}

pub(super) async fn an_ended_id_stays_taken<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let session = suite.long_session().await?;
    let revoke = Revoke::new(session.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    let insert = Insert::new(session.id, session.record);
    ensure_eq!(
        suite.store.insert(insert).await?,
        Inserted::Taken,
        "a revoked session's id"
    );
    suite.ended(session.id, EndReason::LoggedOut).await
}

pub(super) async fn the_cap_ends_the_oldest<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let user = user()?;
    let mut ids = Vec::new();
    let start = suite.now().await?;
    for age in 0..5 {
        let insert = capped(
            &user,
            3,
            Record::issued(
                user.clone(),
                start.after(suite.ticks(age)),
                LONG,
                LONG,
                None,
            ),
        )?;
        let replaced = ids.len().checked_sub(3).map(|oldest| ids[oldest]);
        ids.push(insert.id);
        suite.keep(insert, replaced.as_slice()).await?;
    }
    suite.ended(ids[0], EndReason::Replaced).await?;
    suite.ended(ids[1], EndReason::Replaced).await?;
    ensure_eq!(suite.listed(&user).await?, ids[2..], "who is left");

    let insert = capped(
        &user,
        1,
        Record::issued(user.clone(), start.after(suite.ticks(9)), LONG, LONG, None),
    )?;
    let id = insert.id;
    suite.keep(insert, &ids[2..]).await?;
    ensure_eq!(suite.listed(&user).await?, [id], "a lower cap leaves");
    Ok(())
}

pub(super) async fn the_cap_counts_live_sessions_only<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let user = user()?;
    let revoked = suite.long_session_of(&user).await?;
    let revoke = Revoke::new(revoked.id, RevokeReason::KickedOut);
    suite.revoke(revoke).await?;
    let idle = suite.session(&user, LONG, suite.ticks(4)).await?;
    let retired = suite.long_session_of(&user).await?;
    let current = suite.rotated(retired.id, LONG).await?;
    suite.wait_until(idle.record.idle_deadline).await?;

    let record = Record::issued(user.clone(), suite.now().await?, LONG, LONG, None);
    suite.keep(capped(&user, 2, record)?, &[]).await?;
    suite.live(retired.id).await?;
    suite.live(current.id).await?;
    suite.ended(revoked.id, EndReason::KickedOut).await
}

pub(super) async fn the_cap_is_exact_under_concurrency<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let (user, now) = (user()?, suite.now().await?);
    let record = Record::issued(user.clone(), now, LONG, LONG, None);
    let mut inserts = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..64 {
        let insert = capped(&user, 5, record.clone())?;
        ids.push(insert.id);
        let node = suite.node();
        inserts.push(async move { node.insert(insert).await });
    }
    let mut replaced = Vec::new();
    for inserted in together(inserts).await? {
        match inserted {
            Inserted::Kept(ids) => replaced.extend(ids),
            Inserted::Taken => return Err(Violation::new("a new id is taken")),
        }
    }
    let listed = suite.listed(&user).await?;
    ensure_eq!(listed.len(), 5, "live after 64 inserts under a cap of 5");
    for id in &ids {
        let expected = listed.contains(id);
        ensure_eq!(suite.is_live(*id).await?, expected, "a listed one is live");
    }
    ids.retain(|id| !listed.contains(id));
    ensure_eq!(sorted(replaced), sorted(ids), "the ones reported as ended");
    Ok(())
}

pub(super) async fn odd_names_and_large_data_are_kept<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let salt = u64::from_ne_bytes(random()?);
    let data = format!("\"{}\"", "会话".repeat(64 * 1024 / 6));
    let names = [
        format!("{salt:0128x}"),
        format!("{salt:x}'\"`\\{{}}:*?[]"),
        format!("{salt:x}\0\r\n\t "),
        format!("{salt:x}用户🐧\u{202e}"),
        format!("\u{feff}{salt:x}"),
    ];
    for name in &names {
        let user = Identity::new("wx\0\"应用\n", name.as_str()).with_unionid(name.as_str());
        let now = suite.now().await?;
        let record = Record::issued(user.clone(), now, LONG, LONG, Some(data.as_str().into()));
        let id = id_of(&user)?;
        suite.keep(Insert::new(id, record.clone()), &[]).await?;
        let loaded = suite.store.load(id).await?;
        ensure!(
            loaded == Loaded::Live(record),
            "a record of {name:?} differs"
        );
        let list = suite.store.list(user.clone()).await?;
        let unionid = list.first().and_then(|(_, kept)| kept.identity.unionid());
        ensure_eq!(unionid, user.unionid(), "the unionid");
        ensure_eq!(list.len(), 1, "sessions of {name:?}");
        let revoked = suite.revoke(Revoke::new(&user, RevokeReason::LoggedOut));
        ensure_eq!(revoked.await?, [id], "what revoking {name:?} ends");
    }
    Ok(())
}

fn capped(user: &Identity, cap: usize, record: Record) -> Outcome<Insert> {
    let mut insert = Insert::new(id_of(user)?, record);
    insert.cap = Some(cap);
    Ok(insert)
}
