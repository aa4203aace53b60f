//! The HTTP side as its clients see it: requests through the whole router, over a real ClickHouse where data matters.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod console;
mod door;
mod hostile;
mod live;
mod pages;
mod people;
mod registration;
mod responses;
mod seed;
mod sessions;
mod verdicts;
