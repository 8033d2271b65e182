//! Sizes and times as people write and read them: `4G`, `512M`, `10m`, `250ms`, `2026-11-21T14:40:03Z`.

use std::time::Duration;

use ninedoor_abi::UnixMs;

/// MiB from `4096`, `512M`, `512MiB`, `4G`, `4Gi`, `1T`. A bare number is MiB.
///
/// # Errors
/// When it is none of these, or no whole MiB.
pub fn mebibytes(text: &str) -> Result<u32, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.trim_end_matches("iB").trim_end_matches(['i', 'B']) {
        "" | "M" => 1,
        "G" => 1024,
        "T" => 1024 * 1024,
        _ => 0,
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .and_then(|mb| u32::try_from(mb).ok())
        .filter(|mb| *mb > 0)
        .ok_or_else(|| format!("got {text:?}, wanted MiB or a size like 512M, 4G"))
}

/// A duration from `30`, `30s`, `10m`, `2h`, `1d`, `250ms`. A bare number is seconds.
///
/// # Errors
/// When it is none of these.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_ms))
        .filter(|ms| *ms > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("got {text:?}, wanted seconds or a time like 250ms, 30s, 10m, 2h"))
}

/// Whole seconds of a duration, rounded up.
///
/// # Errors
/// As [`duration`], and more seconds than a lease may be asked for.
pub fn seconds(text: &str) -> Result<u32, String> {
    let seconds = duration(text)?.as_millis().div_ceil(1000);
    u32::try_from(seconds).map_err(|_| format!("got {text:?}, which is beyond every lease"))
}

/// Microseconds for people: `850 µs`, `12.3 ms`, `4.56 s`.
#[must_use]
pub fn shown_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// A moment as ISO 8601 in UTC, to the second.
#[must_use]
pub fn utc(at: UnixMs) -> String {
    let seconds = at.0 / 1000;
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970, by eras of 400 years that begin on the first of March, so that a leap day comes last.
const fn civil(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves SH-11.
    #[test]
    fn sizes_are_mebibytes_unless_they_say_otherwise() {
        for (text, mb) in
            [("64", 64), ("64M", 64), ("64MiB", 64), ("4G", 4096), ("4Gi", 4096), ("1T", 1 << 20)]
        {
            assert_eq!(mebibytes(text), Ok(mb), "{text}");
        }
        for text in ["", "0", "G", "-1", "4K", "1.5G", "99999999T"] {
            assert_eq!(
                mebibytes(text),
                Err(format!("got {text:?}, wanted MiB or a size like 512M, 4G"))
            );
        }
    }

    /// Proves SH-11.
    #[test]
    fn times_are_seconds_unless_they_say_otherwise() {
        for (text, ms) in [
            ("30", 30_000),
            ("250ms", 250),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(seconds("1500ms"), Ok(2));
        assert!(duration("soon").unwrap_err().starts_with("got \"soon\", wanted seconds"));
        assert!(seconds("999999999d").unwrap_err().ends_with("beyond every lease"));
    }

    #[test]
    fn moments_are_shown_as_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UnixMs(seconds * 1000 + 999)), date);
        }
    }

    #[test]
    fn microseconds_are_shown_with_three_figures() {
        assert_eq!(shown_us(850), "850 µs");
        assert_eq!(shown_us(12_345), "12.3 ms");
        assert_eq!(shown_us(4_567_000), "4.56 s");
    }
}
