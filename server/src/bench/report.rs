//! What is printed: one JSON object per scenario, or a table.

use serde::Serialize;

/// What a scenario found. The names are the contract's.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The scenario.
    pub bench: String,
    /// How long throughput was measured.
    pub seconds: u32,
    /// Connections of the load.
    pub connections: usize,
    /// Members of the cluster.
    pub members: u32,
    /// Whether the data was reached without HTTP, in this process.
    pub in_process: bool,
    /// Operations that were answered rightly while throughput was measured.
    pub ops: u64,
    /// Operations that were answered wrongly or not at all, at any time.
    pub errors: u64,
    /// Throughput of the closed load.
    pub ops_per_second: Option<f64>,
    /// Latency at half that rate.
    pub p50_us: Option<f64>,
    /// Latency at half that rate.
    pub p99_us: Option<f64>,
    /// Latency at half that rate.
    pub p999_us: Option<f64>,
    /// The server's time on CPUs per operation of the closed load.
    pub server_cpu_us_per_op: Option<f64>,
    /// The server's memory at the end of the closed load.
    pub rss_bytes: Option<u64>,
    /// What the bare server did on this machine just before and after, with as many connections.
    pub hello_ops_per_second: Option<f64>,
    /// Throughput as a share of that.
    pub ratio_to_hello: Option<f64>,
    /// CPU per operation as a multiple of the bare server's.
    pub cpu_ratio_to_hello: Option<f64>,
    /// The program's version.
    pub version: &'static str,
    /// Where rows are written.
    #[serde(flatten)]
    pub rows: Option<Rows>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    /// Rows of all writes and what they caused.
    pub rows_per_second: Option<f64>,
    /// The same per operation.
    pub rows_per_op: Option<f64>,
    /// Rows per second as a share of what the bare stores do; only where that was measured.
    pub ratio_to_engine: Option<f64>,
}

impl Report {
    /// As one line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data, which JSON can hold")
    }
}

/// Rounds to four digits that mean something.
pub fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

/// All reports as a table.
pub fn table(reports: &[Report]) -> String {
    let head = [
        "scenario",
        "ops",
        "errors",
        "ops/s",
        "p50",
        "p99",
        "p99.9",
        "CPU/op",
        "memory",
        "of hello",
        "CPU × hello",
        "rows/op",
        "rows/s",
        "of engine",
    ];
    let mut lines: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
    lines.extend(reports.iter().map(|report| {
        let rows =
            report.rows.unwrap_or(Rows { rows_per_second: None, rows_per_op: None, ratio_to_engine: None });
        vec![
            report.bench.clone(),
            report.ops.to_string(),
            report.errors.to_string(),
            shown(report.ops_per_second, |rate| format!("{rate:.0}")),
            shown(report.p50_us, time),
            shown(report.p99_us, time),
            shown(report.p999_us, time),
            shown(report.server_cpu_us_per_op, time),
            shown(report.rss_bytes, |bytes| size(bytes as f64)),
            shown(report.ratio_to_hello, |ratio| format!("{ratio:.3}")),
            shown(report.cpu_ratio_to_hello, |ratio| format!("{ratio:.2}")),
            shown(rows.rows_per_op, |rows| format!("{rows:.2}")),
            shown(rows.rows_per_second, |rows| format!("{rows:.0}")),
            shown(rows.ratio_to_engine, |ratio| format!("{ratio:.2}")),
        ]
    }));
    // A column in which nobody has anything is left out.
    let columns: Vec<usize> =
        (0..head.len()).filter(|&column| lines[1..].iter().any(|line| line[column] != NOTHING)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = columns.iter().map(|&column| width(column)).collect();
    let mut text = String::new();
    for line in &lines {
        for (&column, &width) in columns.iter().zip(&widths) {
            let cell = &line[column];
            if column == 0 {
                text += &format!("{cell:width$}");
            } else {
                text += &format!("  {cell:>width$}");
            }
        }
        text.push('\n');
    }
    text
}

fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| NOTHING.to_owned(), show)
}

fn time(micros: f64) -> String {
    if micros < 1_000.0 {
        format!("{micros:.1} µs")
    } else if micros < 1_000_000.0 {
        format!("{:.2} ms", micros / 1e3)
    } else {
        format!("{:.2} s", micros / 1e6)
    }
}

fn size(bytes: f64) -> String {
    if bytes < 1_048_576.0 {
        format!("{:.1} KiB", bytes / 1024.0)
    } else {
        format!("{:.1} MiB", bytes / 1_048_576.0)
    }
}

const NOTHING: &str = "–";

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            bench: "graph".to_owned(),
            seconds: 10,
            connections: 64,
            members: 1,
            in_process: false,
            ops: 1_000,
            errors: 0,
            ops_per_second: Some(100.0),
            p50_us: Some(12.5),
            p99_us: Some(2_500.0),
            p999_us: None,
            server_cpu_us_per_op: None,
            rss_bytes: Some(3 << 20),
            hello_ops_per_second: Some(200.0),
            ratio_to_hello: Some(0.5),
            cpu_ratio_to_hello: None,
            version: "0",
            rows: None,
        }
    }

    fn keys(report: &Report) -> Vec<String> {
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        let mut keys: Vec<String> = json.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }

    #[test]
    fn the_keys_are_the_contracts() {
        let mut wanted: Vec<&str> =
            "bench seconds connections members inProcess ops errors opsPerSecond p50Us p99Us \
             p999Us serverCpuUsPerOp rssBytes helloOpsPerSecond ratioToHello cpuRatioToHello version"
                .split_whitespace()
                .collect();
        wanted.sort_unstable();
        assert_eq!(keys(&report()), wanted);
        let rows = Rows { rows_per_second: Some(1.0), rows_per_op: Some(2.0), ratio_to_engine: None };
        wanted.extend(["rowsPerSecond", "rowsPerOp", "ratioToEngine"]);
        wanted.sort_unstable();
        assert_eq!(keys(&Report { rows: Some(rows), ..report() }), wanted);
    }

    #[test]
    fn what_is_not_known_is_null_and_never_zero() {
        let json: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
        assert!(json["p999Us"].is_null() && json["cpuRatioToHello"].is_null());
    }

    #[test]
    fn the_table_has_a_line_each_and_no_empty_columns() {
        let text = table(&[report(), Report { bench: "a longer name".to_owned(), ..report() }]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].contains("2.50 ms") && lines[1].contains("3.0 MiB"), "{text}");
        assert!(!text.contains("rows/op") && !text.contains("p99.9"), "{text}");
        let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(widths.windows(2).all(|two| two[0] == two[1]), "{text}");
    }

    #[test]
    fn figures_have_four_digits() {
        for (value, wanted) in
            [(0.0, 0.0), (123_456.7, 123_500.0), (0.012_345_6, 0.012_35), (-9_999.9, -10_000.0)]
        {
            assert!((rounded(value) - wanted).abs() < 1e-9, "{value}: {}", rounded(value));
        }
        assert_eq!(rounded(f64::NAN), 0.0);
    }
}
