//! The metrics page: counters that live where they are counted, gathered when Prometheus asks.

use std::fmt;
use std::sync::Arc;

use gomer_core::shard::ShardStatus;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::host::Host;
use crate::registry::stats::BOUNDS_US;

/// Of what type the page is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page.
pub fn render(host: &Arc<Host>) -> String {
    let mut registry = Registry::with_prefix("gomer");
    registry.register_collector(Box::new(Scrape(host.clone())));
    let mut page = String::with_capacity(16 * 1024);
    text::encode(&mut page, &registry).expect("a string takes any text");
    page
}

struct Scrape(Arc<Host>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let host = &self.0;
        let mut page = Page(&mut encoder);
        let called =
            || host.registry.iter().filter(|m| m.stats.classes().iter().any(|(_, count)| *count > 0));
        page.counters(
            "calls",
            "Calls by method and class of status",
            called().flat_map(|m| {
                let label =
                    move |(class, count)| (vec![("method", m.name.to_owned()), ("status", class)], count);
                m.stats.classes().map(|(class, count)| (class.to_owned(), count)).map(label)
            }),
        )?;
        page.histograms(called().map(|m| (m.name, m.stats.buckets(), m.stats.sum_us())))?;
        page.counters(
            "app_calls",
            "Calls by app",
            host.calls_by_app().into_iter().map(|(app, count)| (vec![("app", app)], count)),
        )?;
        let fronts = host.front_counts();
        page.counters(
            "front_events",
            "What the HTTP listeners counted",
            fronts.iter().flat_map(|(side, counts)| {
                let side = *side;
                counts.all().map(move |(name, count)| {
                    (vec![("listener", side.to_owned()), ("event", name.to_owned())], count)
                })
            }),
        )?;
        let links = host.cluster.link_counts();
        if !links.is_empty() {
            page.counters(
                "peer_events",
                "What was exchanged with each other member",
                links.into_iter().flat_map(|(member, counts)| {
                    counts.into_iter().map(move |(event, count)| {
                        (vec![("member", member.clone()), ("event", event.to_owned())], count)
                    })
                }),
            )?;
            page.counters(
                "peer_listener_events",
                "What the listener for other members counted",
                host.cluster
                    .peer_listener_counts()
                    .into_iter()
                    .map(|(event, count)| (vec![("event", event.to_owned())], count)),
            )?;
            page.counters(
                "peer_dropped",
                "What came from other members and found no room",
                [(Vec::new(), host.cluster.dropped())].into_iter(),
            )?;
            let leaderless = host.cluster.leaderless() as i64;
            page.gauge("leaderless", "Partitions without a leader for longer than an election", leaderless)?;
        }
        let (meta, shards) = host.cluster.status();
        let named: Vec<(String, &ShardStatus)> = std::iter::once(("meta".to_owned(), &meta))
            .chain(shards.iter().enumerate().map(|(number, status)| (number.to_string(), status)))
            .collect();
        let mut of_shards = |name, help, counts: fn(&ShardStatus) -> u64| {
            page.counters(
                name,
                help,
                named.iter().map(|(shard, s)| (vec![("shard", shard.clone())], counts(s))),
            )
        };
        of_shards("log_syncs", "Syncs of the log", |s| s.syncs)?;
        of_shards("log_entries", "Entries written to the log", |s| s.entries)?;
        of_shards("rows_written", "Rows written", |s| s.rows)?;
        of_shards("checkpoints", "Checkpoints of the state", |s| s.checkpoints)?;
        let total = |of: fn(&ShardStatus) -> usize| named.iter().map(|(_, s)| of(s)).sum::<usize>() as i64;
        page.gauge("steps_waiting", "Steps that wait in outboxes", total(|s| s.steps))?;
        page.gauge("fanouts_running", "Fan-outs under way", total(|s| s.pipes))?;
        page.gauge(
            "partitions_suspect",
            "Partitions that do not trust their rows",
            total(|s| s.suspect.len()),
        )?;
        page.gauge("table_bytes", "Bytes in the memory tables", total(|s| s.table_bytes))?;
        page.gauge(
            "watching",
            "Registrations of long polls and live streams",
            host.cluster.watching() as i64,
        )?;
        page.gauge("search_documents", "Things that the search index keeps", host.search.len() as i64)?;
        let behind = crate::methods::search::follow::behind(host) as i64;
        page.gauge("search_lag_positions", "Writes that the search index has not seen yet", behind)?;
        let lag = host.search.lag(host.cluster.now().mono).map_or(-1, |lag| lag.as_millis() as i64);
        page.gauge(
            "search_lag_milliseconds",
            "How long ago was what is surely in the search index; -1 while it is made",
            lag,
        )?;
        page.gauge("rate_buckets", "Rate limit buckets that are kept", host.limits.len() as i64)?;
        page.gauge("ready", "Whether requests should come here", i64::from(host.reasons().is_empty()))
    }
}

type Labels = Vec<(&'static str, String)>;

struct Page<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Page<'_, '_> {
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            let labels = labels.as_slice();
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn histograms<'a>(
        &mut self,
        values: impl Iterator<Item = (&'a str, [u64; BOUNDS_US.len() + 1], u64)>,
    ) -> fmt::Result {
        let help = "How long calls took, by method";
        let mut metric = self.0.encode_descriptor("call_seconds", help, None, MetricType::Histogram)?;
        for (method, counts, sum_us) in values {
            let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
            let label = [("method", method)];
            encode_histogram(metric.encode_family(&label)?, sum_us, &buckets)?;
        }
        Ok(())
    }
}

fn encode_histogram(mut metric: MetricEncoder<'_>, sum_us: u64, buckets: &[(f64, u64)]) -> fmt::Result {
    let count = buckets.iter().map(|(_, count)| count).sum();
    metric.encode_histogram::<NoLabelSet>(sum_us as f64 / 1e6, count, buckets, None)
}
