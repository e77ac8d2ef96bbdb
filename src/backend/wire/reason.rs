//! What ends of sessions are called in tables.

use crate::session::EndReason;

const ALL: [EndReason; 6] = [
    EndReason::LoggedOut,
    EndReason::KickedOut,
    EndReason::Replaced,
    EndReason::Expired,
    EndReason::Idle,
    EndReason::SessionKeyExpired,
];

pub(crate) const fn name(reason: EndReason) -> &'static str {
    match reason {
        EndReason::LoggedOut => "logged_out",
        EndReason::KickedOut => "kicked_out",
        EndReason::Replaced => "replaced",
        EndReason::Expired => "expired",
        EndReason::Idle => "idle",
        EndReason::SessionKeyExpired => "session_key_expired",
    }
}

pub(crate) fn reason(text: &[u8]) -> Option<EndReason> {
    let mut all = ALL.into_iter();
    all.find(|reason| name(*reason).as_bytes() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_name_of_its_own() {
        for known in ALL {
            assert_eq!(reason(name(known).as_bytes()), Some(known));
        }
        assert_eq!(reason(b""), None);
    }
}
