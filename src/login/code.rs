use sha2::{Digest, Sha256};

/// The digest of a code and its app: a code is a secret, and is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CodeDigest([u8; 32]);

impl CodeDigest {
    pub(super) fn new(appid: &str, code: impl AsRef<[u8]>) -> Self {
        let digest = Sha256::new()
            .chain_update(appid.as_bytes())
            .chain_update([0])
            .chain_update(code)
            .finalize();
        Self(digest.into())
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A number that is spread evenly over the codes.
    pub(super) const fn spread(self) -> u8 {
        self.0[31]
    }
}
