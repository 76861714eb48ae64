//! What a process has used, as Linux tells under `/proc`. Elsewhere there is nothing, and the report says so.

use std::time::Duration;

/// Why figures of `/proc` are missing.
pub const NO_PROC: &str = "this system has no /proc: CPU and memory of the server cannot be told";

/// Time on CPUs so far, in user and system mode, of all its threads.
pub fn cpu(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    cpu_of(&stat, rustix::param::clock_ticks_per_second())
}

/// Resident memory, in bytes.
pub fn resident(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    resident_of(&statm, rustix::param::page_size() as u64)
}

/// Files and sockets that this process may have open.
pub fn files_max() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

/// proc(5): fields 14 and 15 of `stat`. The name in field 2 may hold anything, also blanks and parentheses.
fn cpu_of(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_secs_f64((user + system) as f64 / ticks_per_second as f64))
}

/// proc(5): the second field of `statm`, in pages.
fn resident_of(statm: &str, page_bytes: u64) -> Option<u64> {
    statm.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * page_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 7 0 0 0 250 50 0 0 20 0 9 0 100 1 2";
        assert_eq!(cpu_of(stat, 100), Some(Duration::from_secs(3)));
        assert_eq!(resident_of("100 25 3 1 0 9 0\n", 4096), Some(102_400));
    }

    #[test]
    fn what_is_damaged_is_nothing() {
        for stat in ["", "42 (a", "42 (a) S 1 2", "42 (a) S 1 42 42 0 -1 4194304 7 0 0 0 x 50 0"] {
            assert_eq!(cpu_of(stat, 100), None, "{stat:?}");
        }
        assert_eq!(resident_of("100", 4096), None);
        assert_eq!(cpu(u32::MAX), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_used_something() {
        assert!(resident(std::process::id()).unwrap() > 100_000);
        assert!(cpu(std::process::id()).is_some());
        assert!(files_max().unwrap() > 10);
    }
}
