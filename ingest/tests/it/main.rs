//! The sources against real brokers (librdkafka's mock cluster), real files and real sockets.

mod files;
mod http_push;
mod kafka;
mod support;
