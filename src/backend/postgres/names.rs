use sha2::{Digest, Sha256};

/// Names of what one store has in a database. All of it begins with its prefix.
///
/// A prefix is lower-case letters, digits and `_`, so no name needs to be quoted.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) const fn new(prefix: String) -> Self {
        Self { prefix }
    }

    /// Puts the names of the tables where a statement has `{sessions}` and the like.
    pub(super) fn fill(&self, statement: &str) -> String {
        statement.replace("{prefix}", &self.prefix)
    }

    /// The channel that changes are announced on.
    pub(super) fn channel(&self) -> String {
        format!("{}_changes", self.prefix)
    }

    /// Tells the advisory locks of this store from those of others in the database.
    pub(super) fn lock_space(&self) -> i32 {
        let digest = Sha256::new()
            .chain_update("tower-wx-session ")
            .chain_update(&self.prefix)
            .finalize();
        i32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }
}
