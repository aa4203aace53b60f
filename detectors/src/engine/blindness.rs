//! What was not seen: silences at the watermark of all streams, lags and unreadable records at a stream's own.

use tokenwatch_model::{AccessEvent, StreamId, Timestamp};

use super::{Arrived, Detections, Engine};
use crate::coverage::Coverage;
use crate::detect::blind_window::{self, Blind};
use crate::settings::DetectorSettings;

impl Engine {
    /// One record of `stream`, the next behind those that were processed, could not be read. Without an event of the
    /// stream before it there is no time at which to count it.
    pub fn rejected(&mut self, stream: &StreamId, out: &mut Detections) {
        let settings = std::sync::Arc::clone(&self.settings);
        let Some(index) = self.clock.find(stream) else {
            return;
        };
        let newest_s = self.clock.newest_of(index).as_secs();
        let mut told = Vec::new();
        self.coverage
            .rejected(index, newest_s, &settings.blind, &mut told);
        self.tell_blind(told, &settings, out);
    }

    /// Counts an event as seen.
    pub(super) fn cover(
        &mut self,
        event: &AccessEvent<'_>,
        arrived: Arrived,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        if arrived.late {
            self.coverage.count_late(event, arrived.stream);
        } else {
            self.coverage.count(event, arrived.stream);
        }
        let newest_s = self.clock.newest_of(arrived.stream).as_secs();
        let mut told = Vec::new();
        self.coverage
            .read(arrived.stream, newest_s, &settings.blind, &mut told);
        self.tell_blind(told, settings, out);
    }

    /// Compares a stream whose time moved on with the foremost one.
    pub(super) fn follow_stream(
        &mut self,
        stream: u32,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let (newest, foremost) = self.clock.newest(stream);
        let mut told = Vec::new();
        Coverage::follow(
            &mut self.coverage,
            stream,
            newest.as_secs(),
            foremost.as_secs(),
            &settings.blind,
            &mut told,
        );
        self.tell_blind(told, settings, out);
    }

    pub(super) fn seal_coverage(
        &mut self,
        watermark: Timestamp,
        settings: &DetectorSettings,
        out: &mut Detections,
    ) {
        let mut told = Vec::new();
        self.coverage
            .seal_until(watermark, &settings.blind, &mut told);
        self.tell_blind(told, settings, out);
    }

    fn tell_blind(&mut self, told: Vec<Blind>, settings: &DetectorSettings, out: &mut Detections) {
        for blind in told {
            let (key, hit, decided) = blind_window::hit(blind);
            self.take_sealed(&key, hit, decided, settings, out);
        }
    }
}
