//! Every contender does the job: otherwise the fastest would be one that refuses.

use http::StatusCode;

use super::*;

const CHECKED: [Make; 10] = [
    floor::new,
    ours::new,
    ours::without_store,
    tower_sessions::new,
    tower_sessions_moka::new,
    axum_login::new,
    axum_session::new,
    hand_written::new,
    jwt::hs256,
    jwt::eddsa,
];

#[test]
fn every_contender_passes_whom_it_knows() {
    for make in CHECKED {
        let contender = make(3);
        let statuses = contender.statuses(false);
        assert_eq!(statuses, [StatusCode::OK; 3], "{contender:?}");
    }
}

#[test]
fn every_contender_knows_no_user_for_other_credentials() {
    for make in CHECKED {
        let contender = make(3);
        let statuses = contender.statuses(true);
        assert_eq!(statuses, [StatusCode::UNAUTHORIZED; 3], "{contender:?}");
    }
}

#[test]
fn what_is_measured_as_a_refusal_is_one() {
    for contender in refusal::all(3) {
        let expected = match contender.name {
            "hit" | "missing, gRPC" | "malformed, gRPC" | "bad tag, gRPC" => StatusCode::OK,
            _ => StatusCode::UNAUTHORIZED,
        };
        let statuses = contender.statuses(false);
        assert_eq!(statuses, [expected; 3], "{contender:?}");
    }
}
