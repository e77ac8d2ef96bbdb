//! The runs of scripts, with the arguments that all of them take first.

use super::keys::bucket_slot;
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
        script
            .on(keys)
            .arg(self.keys.base(bucket))
            .arg(self.announced_on(bucket))
    }

    /// The channel for changes in a bucket. Behind it is the name of the master that has the bucket,
    /// if the script is to use that one's own channel where it finds itself there.
    fn announced_on(&self, bucket: [u8; 2]) -> String {
        let finder = self.router.finder();
        let mut channel = self.keys.channel(finder.settings.location.database);
        if self.announces_per_master
            && let Some(master) = finder.settled_owner(bucket_slot(bucket))
        {
            channel.push(' ');
            channel.push_str(&master);
        }
        channel
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
