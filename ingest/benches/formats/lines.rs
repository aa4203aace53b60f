//! The lines that are measured: a documented line of a format, many times over, with the client, the credential, the path and
//! the ids of each record its own.

use std::path::Path;

/// `count` lines made of one line of the fixtures in `folder`.
pub(crate) fn vary(folder: &Path, line: usize, count: usize) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("lines.log")).expect("the fixtures are there");
    let line = text.lines().nth(line).expect("a line");
    (0..count)
        .map(|index| {
            let key = index % 300;
            line.replace("203.0.113.7", &format!("203.0.113.{}", index % 250))
                .replace("sk_live_example", &format!("sk_live_example{key:04}"))
                .replace("5cbc6a9e", &format!("5cbc{key:04}"))
                .replace("svc-billing", &format!("svc-billing-{key:04}"))
                .replace("/v1/orders", &format!("/v1/orders/{index}"))
                .replace("2f6946", &format!("{index:06}"))
        })
        .collect()
}
