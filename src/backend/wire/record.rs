//! The bytes of a record. The scripts read and rewrite the same ones: see `scripts/common.lua`.
//!
//! | from | bytes | what |
//! |---|---|---|
//! | 0 | 1 | version: 1 |
//! | 1 | 1 | 0, or why the session was revoked |
//! | 2 | 1 | flags: 1 unionid, 2 data, 4 retired |
//! | 3 | 5 × 6 | issued at, absolute end, idle timeout, idle deadline, last use or 0: ms, big-endian |
//! | 33 | 22 | the user, as in the name of the user's index |
//! | 55 | 4 | length of the names |
//! | 59 | | names: appid and openid after their lengths (LEB128), unionid |
//! | | | only if there is any: data after its length |
//! | | 6 + 24 | only if retired: when or 0, the successor's text or zeros |
//!
//! A revoked session keeps bytes 0 to 2, the time of the revocation and that of its oblivion.

use std::ops::RangeInclusive;
use std::str;
use std::sync::Arc;
use std::time::Duration;

use super::bytes::{ID_LEN, Reader, corrupt, put_length, put_time, put_u48, session_id};
use super::user::{USER_LEN, user_name_bytes};
use crate::backend::stored::Stored;
use crate::identity::Identity;
use crate::session::{EndReason, Record};
use crate::store::{StoreError, StoreErrorKind};
use crate::time::{Timestamp, millis};
use crate::token::SessionId;

const VERSION: u8 = 1;
/// No text begins with one of these, so that rubbish is not taken for a record of the future.
const NEWER_VERSIONS: RangeInclusive<u8> = 2..=31;
const UNIONID: u8 = 1;
const DATA: u8 = 2;
const RETIRED: u8 = 4;

/// Reads what is kept under the key of a session.
pub(crate) fn decode(bytes: &[u8]) -> Result<Stored, StoreError> {
    match bytes.first() {
        Some(version) if NEWER_VERSIONS.contains(version) => {
            Err(StoreError::new(StoreErrorKind::NewerVersion))
        }
        Some(&VERSION) => decode_stored(bytes).ok_or_else(corrupt),
        _ => Err(corrupt()),
    }
}

/// The code of a reason; the scripts know the same ones.
pub(crate) const fn code(reason: EndReason) -> u8 {
    match reason {
        EndReason::LoggedOut => 1,
        EndReason::KickedOut => 2,
        EndReason::Replaced => 3,
        EndReason::Expired => 4,
        EndReason::Idle => 5,
        EndReason::SessionKeyExpired => 6,
    }
}

pub(crate) const fn reason(code: u8) -> Option<EndReason> {
    Some(match code {
        1 => EndReason::LoggedOut,
        2 => EndReason::KickedOut,
        3 => EndReason::Replaced,
        4 => EndReason::Expired,
        5 => EndReason::Idle,
        6 => EndReason::SessionKeyExpired,
        _ => return None,
    })
}

/// The bytes of a session that was not revoked.
pub(crate) fn encode(record: &Record) -> Vec<u8> {
    let names = encode_names(&record.identity);
    let is_retired = record.is_retired() || record.successor.is_some();
    let flags = flag(record.identity.unionid().is_some(), UNIONID)
        | flag(record.data.is_some(), DATA)
        | flag(is_retired, RETIRED);
    let mut bytes = vec![VERSION, 0, flags];
    put_time(&mut bytes, record.issued_at);
    put_time(&mut bytes, record.absolute_end);
    put_u48(&mut bytes, millis(record.idle_timeout));
    put_time(&mut bytes, record.idle_deadline);
    put_time(&mut bytes, record.last_used.unwrap_or_default());
    bytes.extend(user_name_bytes(&record.identity));
    bytes.extend(u32::try_from(names.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(names);
    bytes.extend(encode_data(record.data.as_deref()));
    if is_retired {
        put_time(&mut bytes, record.retires_at.unwrap_or_default());
        let successor = record.successor.map(|id| id.to_string());
        bytes.extend(successor.map_or_else(|| vec![0; ID_LEN], String::into_bytes));
    }
    bytes
}

/// The bytes of whatever is kept of a session.
#[cfg(feature = "file")]
pub(crate) fn encode_stored(stored: &Stored) -> Vec<u8> {
    match stored {
        Stored::Kept(record) => encode(record),
        Stored::Revoked { reason, at, until } => {
            let mut bytes = vec![VERSION, code(*reason), 0];
            put_time(&mut bytes, *at);
            put_time(&mut bytes, *until);
            bytes
        }
    }
}

const fn flag(is_set: bool, flag: u8) -> u8 {
    if is_set { flag } else { 0 }
}

fn encode_names(identity: &Identity) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in [identity.appid(), identity.openid()] {
        put_length(&mut bytes, name.len());
        bytes.extend(name.as_bytes());
    }
    bytes.extend(identity.unionid().unwrap_or_default().as_bytes());
    bytes
}

/// The data of a record, for a script to put in the place of another's.
pub(crate) fn encode_data(data: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(data) = data {
        put_length(&mut bytes, data.len());
        bytes.extend(data.as_bytes());
    }
    bytes
}

fn decode_stored(bytes: &[u8]) -> Option<Stored> {
    let mut reader = Reader(bytes.get(1..)?);
    match reader.byte()? {
        0 => decode_kept(reader).map(Stored::Kept),
        code => decode_revoked(code, reader),
    }
}

fn decode_revoked(code: u8, mut reader: Reader<'_>) -> Option<Stored> {
    reader.byte()?;
    let revoked = Stored::Revoked {
        reason: reason(code)?,
        at: reader.time()?,
        until: reader.time()?,
    };
    reader.0.is_empty().then_some(revoked)
}

fn decode_kept(mut reader: Reader<'_>) -> Option<Record> {
    let flags = reader.byte()?;
    let (issued_at, absolute_end) = (reader.time()?, reader.time()?);
    let idle_timeout = Duration::from_millis(reader.u48()?);
    let (idle_deadline, last_used) = (reader.time()?, reader.time_or_none()?);
    let user = reader.take(USER_LEN)?;
    let names = u32::from_be_bytes(reader.take(4)?.try_into().ok()?);
    let names = reader.take(usize::try_from(names).ok()?)?;
    let has_data = flags & DATA != 0;
    let data = has_data
        .then(|| reader.text())
        .map_or(Some(None), |data| data.map(Some))?;
    let identity = decode_names(Reader(names), flags & UNIONID != 0)?;
    // The names were damaged if they are not those of the user.
    if user_name_bytes(&identity) != user {
        return None;
    }
    let (retires_at, successor) = decode_tail(reader, flags & RETIRED != 0)?;
    Some(Record {
        identity,
        issued_at,
        absolute_end,
        idle_timeout,
        idle_deadline,
        last_used,
        retires_at,
        successor,
        data: data.map(Arc::from),
    })
}

fn decode_names(mut reader: Reader<'_>, has_unionid: bool) -> Option<Identity> {
    let (appid, openid) = (reader.text()?, reader.text()?);
    let identity = Identity::of(appid, openid);
    if has_unionid {
        Some(identity.with_unionid(str::from_utf8(reader.0).ok()?))
    } else {
        reader.0.is_empty().then_some(identity)
    }
}

fn decode_tail(
    mut reader: Reader<'_>,
    is_retired: bool,
) -> Option<(Option<Timestamp>, Option<SessionId>)> {
    if !is_retired {
        return reader.0.is_empty().then_some((None, None));
    }
    let retires_at = reader.time_or_none()?;
    let successor = if reader.0 == [0; ID_LEN] {
        None
    } else {
        Some(session_id(reader.0)?)
    };
    Some((retires_at, successor))
}

#[cfg(test)]
mod tests {
    use super::super::bytes::LATEST;
    use super::*;
    use crate::store::Loaded;

    fn record() -> Record {
        Record {
            identity: Identity::new("wx4f4bc4dec97d474b", "oGZUI0egBJY1zhBYw2KhdUfwVJJE"),
            issued_at: Timestamp::from_millis(1_767_225_600_000),
            absolute_end: Timestamp::from_millis(1_769_817_600_000),
            idle_timeout: Duration::from_secs(7200),
            idle_deadline: Timestamp::from_millis(1_767_232_800_000),
            last_used: None,
            retires_at: None,
            successor: None,
            data: None,
        }
    }

    fn full() -> Record {
        let mut record = record();
        record.identity = record.identity.with_unionid("用户");
        record.last_used = Some(Timestamp::from_millis(1_767_225_601_000));
        record.data = Some("{\"role\":\"admin\"}".into());
        record.retire(
            Timestamp::from_millis(1_767_225_630_000),
            SessionId::from_bytes(std::array::from_fn(|i| i as u8)),
        );
        record
    }

    fn revoked() -> Vec<u8> {
        let mut bytes = vec![1, 2, 0];
        put_u48(&mut bytes, 7);
        put_u48(&mut bytes, 9);
        bytes
    }

    /// Everything counts: `==` on an identity ignores the unionid.
    fn text(record: &Record) -> String {
        format!("{record:?}")
    }

    fn kept(bytes: &[u8]) -> Record {
        match decode(bytes).unwrap() {
            Stored::Kept(record) => record,
            other @ Stored::Revoked { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_record_survives_its_bytes() {
        let long = "x".repeat(70_000);
        let mut variants = vec![record(), full()];
        for identity in [
            Identity::new("", ""),
            Identity::new(long.as_str(), long.as_str()).with_unionid(""),
        ] {
            variants.push(Record { identity, ..full() });
        }
        variants.push(Record {
            data: Some("".into()),
            ..record()
        });
        variants.push(Record {
            successor: None,
            ..full()
        });
        variants.push(Record {
            retires_at: None,
            ..full()
        });
        for record in variants {
            assert_eq!(text(&kept(&encode(&record))), text(&record));
        }
    }

    #[test]
    fn the_end_of_time_is_the_latest_that_can_be_kept() {
        let mut record = record();
        record.absolute_end = Timestamp::from_millis(u64::MAX);
        record.idle_timeout = Duration::MAX;
        let kept = kept(&encode(&record));
        assert_eq!(kept.absolute_end.as_millis(), LATEST);
        assert_eq!(kept.idle_timeout.as_millis(), u128::from(LATEST));
    }

    #[test]
    fn the_bytes_are_these() {
        let golden = concat!(
            "010000",
            "019b76daa800",
            "019c11597000",
            "0000006ddd00",
            "019b77488500",
            "000000000000",
            "415a515f47764644416c31364b424353375442597741",
            "00000030",
            "12",
            "777834663462633464656339376434373462",
            "1c",
            "6f475a5549306567424a59317a68425977324b6864556677564a4a45",
        );
        let bytes = encode(&record());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden);
    }

    #[test]
    fn a_revoked_session_is_its_reason() {
        let revoked = decode(&revoked()).unwrap();
        let expected = Stored::Revoked {
            reason: EndReason::KickedOut,
            at: Timestamp::from_millis(7),
            until: Timestamp::from_millis(9),
        };
        assert_eq!(revoked, expected);
        assert_eq!(revoked.loaded(Timestamp::from_millis(9)), Loaded::NeverSeen);
    }

    #[test]
    fn whatever_is_cut_off_is_noticed() {
        for whole in [encode(&record()), encode(&full()), revoked()] {
            for length in 0..whole.len() {
                let error = decode(&whole[..length]).unwrap_err();
                assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{length}");
            }
        }
        let mut longer = encode(&record());
        longer.push(0);
        assert!(decode(&longer).is_err());
    }

    #[test]
    fn a_damaged_byte_never_makes_another_user() {
        for whole in [encode(&record()), encode(&full()), revoked()] {
            for position in 0..whole.len() {
                for damage in 1..=u8::MAX {
                    let mut bytes = whole.clone();
                    bytes[position] ^= damage;
                    if let Ok(Stored::Kept(damaged)) = decode(&bytes) {
                        assert_eq!(damaged.identity, record().identity);
                    }
                }
            }
        }
    }

    #[test]
    fn a_newer_version_is_told_from_rubbish() {
        let kind = |bytes: &[u8]| decode(bytes).unwrap_err().kind();
        let mut newer = encode(&record());
        newer[0] = 2;
        assert_eq!(kind(&newer), StoreErrorKind::NewerVersion);
        for rubbish in [&[][..], &[0], b" ", b"rubbish"] {
            assert_eq!(kind(rubbish), StoreErrorKind::Corrupt);
        }
    }

    #[test]
    fn every_reason_has_a_code_of_its_own() {
        let reasons: Vec<_> = (0..=u8::MAX).filter_map(reason).collect();
        assert_eq!(reasons.len(), 6);
        for (number, reason) in (1..).zip(reasons) {
            assert_eq!(code(reason), number);
        }
    }
}
