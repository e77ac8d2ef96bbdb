use std::time::{Duration, SystemTime};

/// Beijing's time, all over China and all year.
const OFFSET: Duration = Duration::from_secs(8 * 60 * 60);

/// `yyyy-MM-dd HH:mm:ss` as Alipay wants it: in UTC+8, whatever the zone of this process.
pub(super) fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = (since.unwrap_or_default() + OFFSET).as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The date so many days after 1970-01-01, by the way of Howard Hinnant's `civil_from_days`: years
/// begin in March, so that the day which some of them lack is their last.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let (month, years) = match from_march {
        0..10 => (from_march + 3, 0),
        _ => (from_march - 9, 1),
    };
    (era * 400 + year + years, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_beijings_time() {
        // By `TZ=Asia/Shanghai date -d @SECONDS '+%F %T'`.
        for (seconds, text) in [
            (0, "1970-01-01 08:00:00"),
            (57_600, "1970-01-02 00:00:00"),
            (951_753_599, "2000-02-28 23:59:59"),
            (951_753_600, "2000-02-29 00:00:00"),
            (951_840_000, "2000-03-01 00:00:00"),
            (1_714_950_489, "2024-05-06 07:08:09"),
            (1_735_660_799, "2024-12-31 23:59:59"),
            (1_735_660_800, "2025-01-01 00:00:00"),
            (4_107_513_600, "2100-03-01 00:00:00"),
        ] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(timestamp(at), text);
        }
    }

    #[test]
    fn a_clock_before_1970_says_1970() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(timestamp(before), "1970-01-01 08:00:00");
    }
}
