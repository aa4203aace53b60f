//! `tokenwatch leaks scan`: tokens of this deployment in files, archives and git histories.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use tokenwatch_ingest::TokenKey;
use tokenwatch_model::TokenId;
use tokenwatch_store::Store;

use super::{input, stored};
use crate::cli::LeaksScanArgs;
use crate::clock;
use crate::leaks::{self, Hit, Known, Place, Scan, Standing, standing};
use crate::wiring::Stops;

/// What is known of a token that was found.
#[derive(Clone, Debug, Serialize)]
struct About {
    token: TokenId,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    status: Standing,
}

#[derive(Serialize)]
struct Line<'h> {
    #[serde(flatten)]
    about: &'h About,
    #[serde(flatten)]
    place: &'h Place,
}

/// Writes what is found to standard output; the exit code says whether anything was.
pub(super) async fn run(args: LeaksScanArgs) -> anyhow::Result<ExitCode> {
    let settings = input::settings(args.config.as_deref())?;
    let key_file = &settings.ingest.key_file;
    // A new key would know no token.
    ensure!(
        key_file.is_file(),
        "there is no deployment key at {}: name the service's configuration with --config",
        key_file.display()
    );
    let key = input::token_key(&settings)?;
    let stops = Stops::default();
    let result = async {
        let store = match &args.known {
            Some(_) => None,
            None => Some(stored::open(&settings, &stops).await?),
        };
        let known = match (&args.known, &store) {
            (Some(file), _) => Known::read(file)?,
            (None, Some(store)) => from_store(store).await?,
            (None, None) => Known::default(),
        };
        let (hits, problems) = tokio::task::block_in_place(|| scan(&key, &known, &args));
        let mut about = Vec::new();
        for hit in &hits {
            if about.iter().all(|known: &About| known.token != hit.token) {
                about.push(tell(store.as_ref(), hit.token).await?);
            }
        }
        write(&hits, &about, args.json)?;
        anyhow::Ok((!hits.is_empty(), !problems.is_empty()))
    }
    .await;
    stops.close().await;
    Ok(match result? {
        (true, _) => ExitCode::from(EXIT_FOUND),
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    })
}

/// Something was found.
const EXIT_FOUND: u8 = 3;

fn scan(key: &TokenKey, known: &Known, args: &LeaksScanArgs) -> (Vec<Hit>, Vec<String>) {
    let started = std::time::Instant::now();
    let scan = Scan::new(key, known);
    for path in &args.paths {
        leaks::scan(&scan, path);
    }
    let (hits, problems, counts) = scan.finish();
    for problem in &problems {
        eprintln!("not read: {problem}");
    }
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    let (files, objects) = (count(&counts.files), count(&counts.objects));
    eprintln!(
        "{files} files and {objects} git objects read ({} MB, {} candidates) in {seconds:.1} s, {:.0} a second; \
         {} places with a known token",
        count(&counts.bytes) / 1_000_000,
        count(&counts.candidates),
        (files + objects) as f64 / seconds.max(0.001),
        hits.len(),
    );
    let left_out = count(&counts.hits_left_out);
    if left_out > 0 {
        eprintln!("{left_out} further places are not listed");
    }
    (hits, problems)
}

async fn from_store(store: &Store) -> anyhow::Result<Known> {
    let mut known = Known::default();
    for (fingerprint, token) in store
        .fingerprints()
        .await
        .context("the known tokens cannot be read")?
    {
        known.insert(fingerprint, token);
    }
    Ok(known)
}

async fn tell(store: Option<&Store>, token: TokenId) -> anyhow::Result<About> {
    let unknown = About {
        token,
        credential_id: None,
        consumer: None,
        owner: None,
        status: Standing::Unknown,
    };
    let Some(store) = store else {
        return Ok(unknown);
    };
    let now = clock::system().now();
    let seen = store.queries().token(token, now).await?;
    let credential_id = seen.as_ref().and_then(|row| row.credential_id.clone());
    let consumer = seen.as_ref().and_then(|row| row.consumer.clone());
    let known = store
        .registration(token, credential_id.as_deref(), consumer.as_deref())
        .await?;
    let entry = known.as_ref().map(|known| &known.registration);
    let status = entry.map_or(Standing::Live, |entry| standing(entry, now));
    let owner = entry.and_then(|entry| entry.owner.clone());
    Ok(About {
        credential_id,
        consumer,
        owner,
        status,
        ..unknown
    })
}

fn write(hits: &[Hit], about: &[About], json: bool) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for hit in hits {
        let about = about
            .iter()
            .find(|about| about.token == hit.token)
            .expect("every token that was found was asked about");
        let place = &hit.place;
        if json {
            serde_json::to_writer(&mut out, &Line { about, place }).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            continue;
        }
        let part = |prefix: &str, text: Option<&str>| {
            text.map(|text| format!("{prefix}{text}"))
                .unwrap_or_default()
        };
        writeln!(
            out,
            "{}{}:{}{}: {}{}{}{}, {}",
            place.file,
            part("!", place.entry.as_deref()),
            place.line,
            part(" in commit ", place.commit.as_deref()),
            about.token,
            part(", credential ", about.credential_id.as_deref()),
            part(", of ", about.consumer.as_deref()),
            part(", owner ", about.owner.as_deref()),
            match about.status {
                Standing::Live => "LIVE",
                Standing::Revoked => "revoked",
                Standing::Expired => "expired",
                Standing::Unknown => "of unknown status",
            },
        )?;
    }
    out.flush()
}
