//! Records that their source delivers twice, recognised by the id that the provider gave them: CloudTrail, Cloudflare's
//! Logpush, Google's and Azure's exports promise "at least once".
//!
//! A copy has the same id, time and call, and was read elsewhere; what is read again at the same place after a restart is
//! no copy. Only ids that the provider makes count: where clients may choose them (`X-Request-ID`, `Audit-ID`), one could
//! hide its calls behind the first. Ids are kept by the times of their events, so the same copies are recognised however
//! batches are cut; after a restart they are those of the stored events. What comes later than the horizon, or once there
//! are too many, counts again.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, Hash};
use std::time::Duration;

use tokenwatch_model::{AccessEvent, Format, Timestamp};
use tokenwatch_store::Delivery;

/// Formats whose records have an id of the provider's, and whose delivery repeats some.
pub(crate) const FORMATS: [Format; 4] = [
    Format::Cloudtrail,
    Format::Gcp,
    Format::AzureApim,
    Format::Cloudflare,
];
/// Ids kept at once, the oldest go first: 16 bytes each and the tables' slack, 72 MB at most.
pub(crate) const IDS_LIMIT: usize = 2_000_000;
/// Ids are forgotten by slices of time.
const SLICE: Duration = Duration::from_mins(10);

type Hashing = foldhash::fast::FixedState;

/// Which records were seen lately, and where.
#[derive(Debug)]
pub(crate) struct Deliveries {
    slices: BTreeMap<i64, HashMap<u64, u64, Hashing>>,
    count: usize,
    horizon: Duration,
    limit: usize,
    newest: Timestamp,
}

/// What a record was, and where it was read, as digests.
#[derive(Clone, Copy)]
struct Seen {
    ts: Timestamp,
    id: u64,
    place: u64,
}

impl Deliveries {
    /// None so far; a horizon of nothing recognises nothing.
    pub(crate) fn new(horizon: Duration) -> Self {
        Self {
            slices: BTreeMap::new(),
            count: 0,
            horizon,
            limit: IDS_LIMIT,
            newest: Timestamp::default(),
        }
    }

    /// Takes over one that is stored.
    pub(crate) fn restore(&mut self, delivery: &Delivery<'_>) {
        self.is_copy(&Seen {
            ts: Timestamp::from_micros(delivery.ts),
            id: id_of(
                delivery.format,
                delivery.ts,
                delivery.request_id,
                [delivery.method, delivery.path],
            ),
            place: place_of(
                delivery.topic,
                delivery.partition,
                delivery.offset,
                delivery.record_index,
            ),
        });
    }

    /// Whether the event was seen before, elsewhere; it is from now on.
    pub(crate) fn is_again(&mut self, event: &AccessEvent<'_>) -> bool {
        if !FORMATS.contains(&event.format) || self.horizon.is_zero() {
            return false;
        }
        let Some(seen) = Seen::of(event) else {
            return false;
        };
        self.is_copy(&seen)
    }

    /// Notes the record unless it is known from elsewhere; whether it is.
    fn is_copy(&mut self, seen: &Seen) -> bool {
        self.newest = self.newest.max(seen.ts);
        let oldest = self.newest - self.horizon;
        if seen.ts < oldest {
            return false;
        }
        let slice = self.slices.entry(slice_of(seen.ts)).or_default();
        let mut is_new = false;
        let place = *slice.entry(seen.id).or_insert_with(|| {
            is_new = true;
            seen.place
        });
        if is_new {
            self.count += 1;
            self.forget(slice_of(oldest));
        }
        place != seen.place
    }

    /// Drops what lies behind the horizon, and the oldest while there are too many.
    fn forget(&mut self, oldest: i64) {
        while let Some(first) = self.slices.first_entry()
            && (*first.key() < oldest || self.count > self.limit)
        {
            self.count -= first.remove().len();
        }
    }
}

impl Seen {
    /// None where a record does not say enough of itself to be known again.
    fn of(event: &AccessEvent<'_>) -> Option<Self> {
        let origin = &event.origin;
        let request_id = event.request_id.as_deref()?;
        let texts = [&event.http.method, &event.http.path];
        Some(Self {
            ts: event.ts,
            id: id_of(
                event.format.name(),
                event.ts.as_micros(),
                request_id,
                texts.map(|text| text.as_deref().unwrap_or_default()),
            ),
            place: place_of(
                origin.topic.as_deref()?,
                origin.partition?,
                origin.offset?,
                origin.index,
            ),
        })
    }
}

fn slice_of(ts: Timestamp) -> i64 {
    ts.as_secs().div_euclid(SLICE.as_secs() as i64)
}

fn id_of(format: &str, ts: i64, request_id: &str, call: [&str; 2]) -> u64 {
    digest((format, ts, request_id, call))
}

fn place_of(topic: &str, partition: i32, offset: i64, index: u32) -> u64 {
    digest((topic, partition, offset, index))
}

fn digest(value: impl Hash) -> u64 {
    Hashing::default().hash_one(value)
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::{Client, EventFlags, Http, Origin, Outcome};

    use super::*;

    fn event(id: &'static str, secs: i64, partition: i32, offset: i64) -> AccessEvent<'static> {
        AccessEvent {
            ts: Timestamp::from_secs(secs),
            format: Format::Cloudtrail,
            request_id: Some(id.into()),
            token: None,
            client: Client::default(),
            http: Http::default(),
            tls: None,
            outcome: Outcome::Ok,
            flags: EventFlags::default(),
            origin: Origin {
                topic: Some("trail".into()),
                partition: Some(partition),
                offset: Some(offset),
                ..Origin::default()
            },
        }
    }

    fn six_hours() -> Deliveries {
        Deliveries::new(Duration::from_hours(6))
    }

    #[test]
    fn a_record_counts_once_wherever_it_is_delivered_again() {
        let mut seen = six_hours();
        assert!(!seen.is_again(&event("e-1", 100_000, 0, 1)));
        assert!(!seen.is_again(&event("e-2", 100_000, 0, 2)));
        assert!(seen.is_again(&event("e-1", 100_000, 0, 3)));
        assert!(seen.is_again(&event("e-1", 100_000, 7, 1)));
        // The same id at another time is another call's.
        assert!(!seen.is_again(&event("e-1", 100_001, 0, 4)));
    }

    #[test]
    fn what_is_read_again_at_its_place_is_no_copy() {
        let mut seen = six_hours();
        assert!(!seen.is_again(&event("e-1", 100_000, 0, 1)));
        assert!(!seen.is_again(&event("e-1", 100_000, 0, 1)));
        let mut restored = six_hours();
        restored.restore(&Delivery {
            format: "cloudtrail",
            ts: Timestamp::from_secs(100_000).as_micros(),
            request_id: "e-1",
            method: "",
            path: "",
            topic: "trail",
            partition: 0,
            offset: 1,
            record_index: 0,
        });
        assert!(!restored.is_again(&event("e-1", 100_000, 0, 1)));
        assert!(restored.is_again(&event("e-1", 100_000, 0, 2)));
    }

    #[test]
    fn ids_that_clients_may_choose_are_not_looked_at() {
        let mut seen = six_hours();
        for offset in 0..3 {
            let mut event = event("r-1", 100_000, 0, offset);
            event.format = Format::Nginx;
            assert!(!seen.is_again(&event), "{offset}");
        }
    }

    #[test]
    fn what_is_older_than_the_horizon_or_too_much_is_forgotten() {
        let mut seen = six_hours();
        let hours = |hours: i64| 100_000 + hours * 3_600;
        assert!(!seen.is_again(&event("e-1", hours(0), 0, 1)));
        assert!(!seen.is_again(&event("e-2", hours(7), 0, 2)));
        assert!(!seen.is_again(&event("e-1", hours(0), 0, 3)));
        assert_eq!(seen.count, 1);
        seen.limit = 3;
        for offset in 0..20 {
            seen.is_again(&event("e-3", hours(7) + offset * 700, 0, offset));
        }
        assert_eq!(seen.count, 3);
        assert_eq!(seen.slices.values().map(HashMap::len).sum::<usize>(), 3);
    }

    #[test]
    fn nothing_is_recognised_without_a_horizon() {
        let mut seen = Deliveries::new(Duration::ZERO);
        assert!(!seen.is_again(&event("e-1", 100_000, 0, 1)));
        assert!(!seen.is_again(&event("e-1", 100_000, 0, 2)));
    }
}
