//! The strict JSON check: whatever passes is JSON to serde_json too, and still passes when it is written again.

use gomer_net::http::json::{JsonFaultKind, JsonLimits, check as strict};

/// Checks the bytes with small limits, so that a fuzzer can reach them.
pub fn check(data: &[u8]) {
    let limits = JsonLimits { depth_max: 8, string_bytes_max: 64, nodes_max: 100 };
    match strict(data, &limits) {
        Ok(text) => {
            let value: serde_json::Value = serde_json::from_str(text).expect("what passes is JSON");
            // Larger numbers may be written with more digits; a key never appears or vanishes.
            let again = value.to_string();
            let judged = strict(again.as_bytes(), &limits);
            assert!(judged.is_ok(), "{text:?} became {again:?}: {judged:?}");
        }
        Err(fault) => {
            assert!(fault.offset <= data.len(), "{fault}");
            assert!(fault.pointer.is_empty() || fault.pointer.starts_with('/'), "{fault}");
            if matches!(fault.kind, JsonFaultKind::Malformed | JsonFaultKind::Incomplete) {
                let lenient = serde_json::from_slice::<serde_json::Value>(data);
                assert!(lenient.is_err(), "{fault}, but serde_json reads it");
            }
        }
    }
}
