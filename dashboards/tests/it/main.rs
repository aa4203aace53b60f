//! The HTTP side as its clients see it: requests through the whole router, over a real ClickHouse where data matters.

mod console;
mod door;
mod hostile;
mod live;
mod pages;
mod seed;
mod sessions;
