//! How times and spans are written in columns, to the millisecond.

use std::error::Error;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::backend::wire::bytes::LATEST;
use crate::time::{Timestamp, millis};

type Malformed = Box<dyn Error + Sync + Send>;

/// 2000-01-01, with which the server begins to count, in milliseconds since 1970.
const EPOCH: i64 = 946_684_800_000;

/// An instant in a column of type `timestamptz`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Timestamp);

impl<'a> FromSql<'a> for Time {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let micros = i64::from_be_bytes(bytes.try_into()?);
        // The server's clock is finer than ours.
        let millis = micros.div_euclid(1000).saturating_add(EPOCH);
        Ok(Self(Timestamp::from_millis(u64::try_from(millis)?)))
    }

    accepts!(TIMESTAMPTZ);
}

impl ToSql for Time {
    fn to_sql(&self, _: &Type, bytes: &mut BytesMut) -> Result<IsNull, Malformed> {
        let millis = i64::try_from(self.0.as_millis().min(LATEST))?;
        bytes.put_i64((millis - EPOCH) * 1000);
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

/// A span in a column of type `interval`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'a> FromSql<'a> for Span {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let bytes: [u8; 16] = bytes.try_into()?;
        let micros = u128::from_be_bytes(bytes) >> 64;
        let days_and_months = u128::from_be_bytes(bytes) & u128::from(u64::MAX);
        if days_and_months != 0 {
            return Err("a span in hours".into());
        }
        Ok(Self(Duration::from_millis(u64::try_from(micros)? / 1000)))
    }

    accepts!(INTERVAL);
}

impl ToSql for Span {
    fn to_sql(&self, _: &Type, bytes: &mut BytesMut) -> Result<IsNull, Malformed> {
        bytes.put_u64(millis(self.0).min(LATEST) * 1000);
        // Days and months, whose length is not always the same.
        bytes.put_u64(0);
        Ok(IsNull::No)
    }

    accepts!(INTERVAL);
    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_their_bytes() {
        for millis in [0, 1, 946_684_799_999, 1_767_225_600_001, LATEST] {
            let mut bytes = BytesMut::new();
            let time = Time(Timestamp::from_millis(millis));
            time.to_sql(&Type::TIMESTAMPTZ, &mut bytes).unwrap();
            let read = Time::from_sql(&Type::TIMESTAMPTZ, &bytes).unwrap();
            assert_eq!(read.0, time.0);
        }
    }

    #[test]
    fn spans_survive_their_bytes() {
        for span in [Duration::ZERO, Duration::from_millis(7_200_001)] {
            let mut bytes = BytesMut::new();
            Span(span).to_sql(&Type::INTERVAL, &mut bytes).unwrap();
            assert_eq!(Span::from_sql(&Type::INTERVAL, &bytes).unwrap().0, span);
        }
    }

    #[test]
    fn the_end_of_time_is_the_latest_that_can_be_kept() {
        let mut bytes = BytesMut::new();
        let time = Time(Timestamp::from_millis(u64::MAX));
        time.to_sql(&Type::TIMESTAMPTZ, &mut bytes).unwrap();
        let read = Time::from_sql(&Type::TIMESTAMPTZ, &bytes).unwrap();
        assert_eq!(read.0.as_millis(), LATEST);
        let mut bytes = BytesMut::new();
        let span = Span(Duration::MAX);
        span.to_sql(&Type::INTERVAL, &mut bytes).unwrap();
        let read = Span::from_sql(&Type::INTERVAL, &bytes).unwrap();
        assert_eq!(read.0, Duration::from_millis(LATEST));
    }
}
