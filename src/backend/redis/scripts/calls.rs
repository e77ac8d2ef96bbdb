//! What each script is given: the first lines of its file say the same.

use std::time::Duration;

use super::{
    ADD, Call, END, INDEX, INSERT, KEEP, LIST, PUT_SESSION_KEY, REPLACE, REVOKE_SESSION,
    REVOKE_USER, ROTATE, SUCCEED, Script, TAG_KEYS, TIDY, TOUCH,
};
use crate::backend::redis::wire::keys::{Keys, NamedKey};
use crate::backend::wire::bytes::LATEST;
use crate::backend::wire::user::user_name;
use crate::backend::wire::{record, tag_key};
use crate::identity::Identity;
use crate::session::{Record, Touch};
use crate::store::{Insert, PutSessionKey, Retire, Revoke, Rotate, Target};
use crate::time::millis;
use crate::token::{SessionId, TagKey};

/// In ms, so that its sum with a time is still an integer to every Lua.
fn span(span: Duration) -> u64 {
    millis(span).min(LATEST)
}

/// Makes the runs of scripts in one bucket.
pub(crate) struct Calls<'a> {
    keys: &'a Keys,
    bucket: [u8; 2],
    /// Where changes are announced.
    channel: String,
}

impl<'a> Calls<'a> {
    pub(crate) const fn new(keys: &'a Keys, bucket: [u8; 2], channel: String) -> Self {
        Self {
            keys,
            bucket,
            channel,
        }
    }

    /// A run with the argument that all scripts take first.
    fn call<const N: usize>(&self, script: &'static Script, keys: [String; N]) -> Call {
        script.on(keys).arg(self.channel.as_str())
    }

    fn call_on_index(&self, script: &'static Script, user: &Identity) -> Call {
        self.call(script, [self.keys.index(user)])
    }

    fn call_on_session(&self, script: &'static Script, id: SessionId) -> Call {
        self.call(script, []).also_on(Some(self.session(id)))
    }

    /// A session among those of this bucket: one of another bucket is another user's, and is not
    /// found here.
    fn session(&self, id: SessionId) -> NamedKey {
        self.keys.named(self.bucket, id.to_string().as_bytes())
    }

    pub(crate) fn insert(&self, insert: &Insert) -> Call {
        let (id, record, retire) = (insert.id, &insert.record, insert.retire);
        let keys = [self.keys.session(id), self.keys.index(&record.identity)];
        if insert.concerns_no_other() {
            return self
                .call(&ADD, keys)
                .arg(record::encode(record))
                .arg(id.to_string())
                .number(record.issued_at.as_millis())
                .number(record.kept_until().as_millis().min(LATEST));
        }
        let cap = insert.cap.map(i64::try_from);
        self.call(&INSERT, keys)
            .also_on(retire.map(|retire| self.session(retire.id)))
            .arg(record::encode(record))
            .arg(id.to_string())
            .number(cap.map_or(-1, |cap| cap.unwrap_or(i64::MAX)))
            .arg(retire.map_or_else(String::new, |retire| retire.id.to_string()))
            .number(retire.map_or(0, |retire| span(retire.grace)))
    }

    pub(crate) fn touch(&self, touch: &Touch) -> Call {
        self.call(&TOUCH, [self.keys.session(touch.id)])
            .number(touch.used_at.as_millis())
            .number(span(touch.slack))
            .number(touch.since.as_millis())
    }

    pub(crate) fn rotate(&self, rotate: &Rotate) -> Call {
        let (old, new) = (rotate.old, rotate.new);
        self.call(&ROTATE, [self.keys.session(new)])
            .also_on(Some(self.session(old)))
            .arg(new.to_string())
            .number(span(rotate.grace))
            .number(u8::from(rotate.data.is_some()))
            .arg(record::encode_data(rotate.data.as_deref()))
    }

    pub(crate) fn revoke(&self, revoke: &Revoke) -> Call {
        let (reason, issued_by) = (record::code(revoke.reason.into()), issued_by(revoke));
        match &revoke.target {
            Target::Session(id) => self
                .call_on_session(&REVOKE_SESSION, *id)
                .number(reason)
                .arg(issued_by),
            Target::User(user) => self
                .call_on_index(&REVOKE_USER, user)
                .number(reason)
                .arg(issued_by)
                .arg(""),
            Target::Others { user, keep } => self
                .call_on_index(&REVOKE_USER, user)
                .also_on(Some(self.session(*keep)))
                .number(reason)
                .arg(issued_by)
                .arg(keep.to_string()),
        }
    }

    pub(crate) fn list(&self, user: &Identity) -> Call {
        self.call_on_index(&LIST, user)
    }

    /// Has an index forget those of these sessions that are gone.
    pub(crate) fn tidy(&self, user: &Identity, sessions: &[&[u8]]) -> Call {
        let sessions = sessions.iter();
        let mut call = self.call_on_index(&TIDY, user);
        call.give_needed(sessions.map(|name| self.keys.named(self.bucket, name)));
        call
    }

    /// Has the index of a user, which a touch has named, hold a session.
    pub(crate) fn index(&self, id: SessionId, (user, issued, till): (&[u8], i64, i64)) -> Call {
        self.call(&INDEX, [self.keys.named(self.bucket, user).key])
            .arg(id.to_string())
            .number(issued)
            .number(till)
    }

    pub(crate) fn put_session_key(&self, put: PutSessionKey) -> Call {
        let began = put.began.map(|began| began.as_millis().to_string());
        self.call(&PUT_SESSION_KEY, [self.keys.session_keys(&put.user)])
            .arg(put.fingerprint)
            .arg(put.key)
            .number(span(put.keep))
            .number(span(put.keep_previous))
            .arg(began.unwrap_or_default())
    }

    /// Adds the key to those in one place.
    pub(crate) fn tag_keys(&self, place: String, offer: &TagKey) -> Call {
        self.call(&TAG_KEYS, [place])
            .number(offer.usable_since().as_millis())
            .arg(tag_key::encode(offer))
    }

    /// Keeps the record of a new session, and does nothing else.
    pub(crate) fn keep(&self, id: SessionId, new: &Record) -> Call {
        self.call(&KEEP, [self.keys.session(id)])
            .arg(record::encode(new))
    }

    /// Puts `new` in the place of a session of this user, if what is there so far is `earlier`, and
    /// does nothing else.
    pub(crate) fn succeed(
        &self,
        Retire { id, grace }: Retire,
        user: &Identity,
        earlier: Option<SessionId>,
        new: SessionId,
    ) -> Call {
        let earlier = earlier.map(|id| id.to_string());
        self.call_on_session(&SUCCEED, id)
            .arg(new.to_string())
            .number(span(grace))
            .arg(user_name(user))
            .arg(earlier.unwrap_or_default())
    }

    /// Ends a session that counts for the cap, as replaced; with `spare_used` only if nobody has used
    /// it.
    pub(crate) fn replace(&self, id: SessionId, spare_used: bool) -> Call {
        self.call_on_session(&REPLACE, id)
            .number(u8::from(spare_used))
    }

    /// Ends one session, with a `successor` only where that is what took its place, and does nothing
    /// else.
    pub(crate) fn end(&self, id: SessionId, revoke: &Revoke, successor: Succession) -> Call {
        self.call_on_session(&END, id)
            .number(record::code(revoke.reason.into()))
            .arg(issued_by(revoke))
            .arg(match successor {
                Succession::Any => "*".to_owned(),
                Succession::None => String::new(),
                Succession::By(successor) => successor.to_string(),
            })
    }
}

/// What took a session's place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Succession {
    Any,
    None,
    By(SessionId),
}

fn issued_by(revoke: &Revoke) -> String {
    let issued_by = revoke.issued_by.map(|by| by.as_millis().to_string());
    issued_by.unwrap_or_default()
}
