//! The hosts of a fleet: how far behind each is.

use landmarc_store::HostStatus;
use serde_json::{Value, json};

use crate::figures::grouped;
use landmarc_fleet::LEFT_MS;
use landmarc_runtime::time::to_the_second;

/// A clock that is wrong by less is not told of, in milliseconds.
const RIGHT_MS: u64 = 2_000;

/// A host speaks every quarter of a minute: after so long without a word nobody knows how it is, in milliseconds.
const SILENT_MS: u64 = 60_000;

/// A line for each host, behind a heading.
pub(super) fn in_words(hosts: &[HostStatus], now_ms: u64) -> String {
    let lines = hosts.iter().map(|host| {
        let parts = [
            Some(format!("{} ({})", host.name, host.id.short())),
            Some(how_far(host, now_ms)),
            Some(format!("seen {}", ago(now_ms, host.seen_ms))),
            (host.missing > 0).then(|| format!("{} batches missing", grouped(host.missing))),
            clock(host.clock_offset_ms),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        format!("{:<15} {}\n", "host", parts.join(", "))
    });
    lines.collect()
}

/// How far behind it is, by its own clock.
fn how_far(host: &HostStatus, now_ms: u64) -> String {
    match (host.caught_up_ms, host.pending) {
        (0, 0) => format!("batch {}", grouped(host.through)),
        (0, pending) => format!("{} messages behind", grouped(pending)),
        (LEFT_MS.., 0) => "stopped, nothing waits there".to_owned(),
        (_, 0) if now_ms.saturating_sub(host.seen_ms) > SILENT_MS => "up to date when it was seen".to_owned(),
        (_, 0) => "up to date".to_owned(),
        (caught_up_ms, pending) => format!(
            "{} messages behind, complete up to {}",
            grouped(pending),
            to_the_second(caught_up_ms)
        ),
    }
}

fn ago(now_ms: u64, at_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(at_ms) / 1_000;
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        _ => to_the_second(at_ms),
    }
}

fn clock(offset_ms: i64) -> Option<String> {
    let off = offset_ms.unsigned_abs();
    let side = if offset_ms > 0 { "fast" } else { "slow" };
    (off > RIGHT_MS).then(|| format!("its clock is {} s {side}", grouped(off / 1_000)))
}

/// The list for JSON.
pub(super) fn objects(hosts: &[HostStatus]) -> Value {
    let object = |host: &HostStatus| {
        json!({
            "host": host.name,
            "host_id": host.id.to_string(),
            "through": host.through,
            "missing_batches": host.missing,
            "pending_messages": host.pending,
            "seen_ms": host.seen_ms,
            "caught_up_ms": Some(host.caught_up_ms).filter(|ms| (1..LEFT_MS).contains(ms)),
            "has_stopped": host.caught_up_ms >= LEFT_MS,
            "clock_offset_ms": host.clock_offset_ms,
        })
    };
    hosts.iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use landmarc_store::HostId;

    use super::*;

    /// 2026-06-01T00:00:00Z.
    const JUNE: u64 = 1_780_272_000_000;

    fn host(caught_up_ms: u64, pending: u64, clock_offset_ms: i64) -> HostStatus {
        HostStatus {
            id: HostId::from([0xab; 16]),
            name: "mx1.example".to_owned(),
            through: 1_234,
            missing: 0,
            seen_ms: JUNE - 5_000,
            clock_offset_ms,
            caught_up_ms,
            pending,
        }
    }

    #[test]
    fn each_host_is_printed_with_how_far_behind_it_is() {
        let gone = HostStatus {
            seen_ms: JUNE - 86_400_000,
            missing: 3,
            ..host(0, 0, 0)
        };
        let hosts = [
            host(JUNE, 0, 1_999),
            host(JUNE - 60_000, 4_321, -600_000),
            host(0, 7, 3_000),
            host(LEFT_MS, 0, 0),
            HostStatus {
                seen_ms: JUNE - 61_000,
                ..host(JUNE - 61_000, 0, 0)
            },
            gone,
        ];
        insta::assert_snapshot!(in_words(&hosts, JUNE), @r"
        host            mx1.example (abababab), up to date, seen 5 s ago
        host            mx1.example (abababab), 4,321 messages behind, complete up to 2026-05-31T23:59:00Z, seen 5 s ago, its clock is 600 s slow
        host            mx1.example (abababab), 7 messages behind, seen 5 s ago, its clock is 3 s fast
        host            mx1.example (abababab), stopped, nothing waits there, seen 5 s ago
        host            mx1.example (abababab), up to date when it was seen, seen 61 s ago
        host            mx1.example (abababab), batch 1,234, seen 2026-05-31T00:00:00Z, 3 batches missing
        ");
    }

    #[test]
    fn the_object_has_every_key_whatever_is_absent() {
        let list = objects(&[host(JUNE, 1, 0), host(0, 0, 0)]);
        let keys = |place: usize| {
            list[place]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(0), keys(1));
        assert_eq!(
            (&list[0]["caught_up_ms"], &list[1]["caught_up_ms"]),
            (&json!(JUNE), &Value::Null)
        );
    }
}
