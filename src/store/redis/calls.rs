//! The runs of scripts, with the arguments that all of them take first.

use super::script::{Call, Script};
use super::{RedisStore, record, script};
use crate::Identity;
use crate::store::{Revoke, Target};

impl RedisStore {
    /// A run of a script with the arguments that all scripts take.
    pub(super) fn call<const N: usize>(
        &self,
        script: &'static Script,
        bucket: [u8; 2],
        keys: [String; N],
    ) -> Call {
        let database = self.router.finder().settings.location.database;
        script
            .on(keys)
            .arg(self.keys.base(bucket))
            .arg(self.keys.channel(database))
    }

    pub(super) fn call_on_index(&self, script: &'static Script, user: &Identity) -> Call {
        self.call(script, user.bucket(), [self.keys.index(user)])
    }

    pub(super) fn revocation(&self, revoke: &Revoke) -> Call {
        let reason = record::code(revoke.reason.into());
        let issued_by = revoke.issued_by.map(|by| by.as_millis().to_string());
        let issued_by = issued_by.unwrap_or_default();
        match &revoke.target {
            Target::Session(id) => self
                .call(
                    &script::REVOKE_SESSION,
                    id.bucket(),
                    [self.keys.session(*id)],
                )
                .arg(id.to_string())
                .number(reason)
                .arg(issued_by),
            Target::User(user) => self
                .call_on_index(&script::REVOKE_USER, user)
                .number(reason)
                .arg(issued_by)
                .arg(""),
            Target::Others { user, keep } => self
                .call_on_index(&script::REVOKE_USER, user)
                .number(reason)
                .arg(issued_by)
                .arg(keep.to_string()),
        }
    }
}
