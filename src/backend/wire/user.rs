use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::identity::Identity;

/// Characters of a user's name.
pub(crate) const USER_LEN: usize = 22;

/// A name for a user that does not say who it is: base64url of 16 bytes of a digest.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn user_name(user: &Identity) -> String {
    String::from_utf8_lossy(&user_name_bytes(user)).into_owned()
}

/// The same without an allocation.
pub(crate) fn user_name_bytes(user: &Identity) -> [u8; USER_LEN] {
    let digest = Sha256::new()
        .chain_update(b"tower-wx-session user\0")
        .chain_update(user.appid().as_bytes())
        .chain_update([0])
        .chain_update(user.openid().as_bytes())
        .finalize();
    let mut name = [0; USER_LEN];
    // 16 bytes are 22 characters.
    let _ = URL_SAFE_NO_PAD.encode_slice(&digest[..16], &mut name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_name_ends_and_the_other_begins_matters() {
        let one = user_name_bytes(&Identity::new("ab", "c"));
        let other = user_name_bytes(&Identity::new("a", "bc"));
        assert_ne!(one, other);
        assert_eq!(one.len(), USER_LEN);
    }
}
