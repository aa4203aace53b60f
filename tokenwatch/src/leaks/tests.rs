use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use tokenwatch_ingest::TokenKey;

use super::*;

const TOKEN: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
/// As the token, but for one letter.
const LOOK_ALIKE: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dd";

fn key() -> TokenKey {
    TokenKey::from_bytes(&[7; 32])
}

/// The places of the token below `path`, without the folder's own name; nothing may be unreadable.
fn places(path: &Path) -> Vec<(String, Option<String>, u64)> {
    let (hits, problems) = run(path);
    assert_eq!(problems, [] as [&str; 0]);
    let mut places: Vec<_> = hits
        .into_iter()
        .map(|hit| {
            assert_eq!(hit.token, key().token_id(TOKEN.as_bytes()));
            let file = hit.place.file.replace(&path.display().to_string(), "");
            (file, hit.place.entry, hit.place.line)
        })
        .collect();
    places.sort();
    places
}

fn run(path: &Path) -> (Vec<Hit>, Vec<String>) {
    let key = key();
    let mut known = Known::default();
    let id = key.token_id(TOKEN.as_bytes());
    known.insert(id, id);
    let scan = Scan::new(&key, &known);
    super::scan(&scan, path);
    let (hits, problems, counts) = scan.finish();
    assert!(counts.candidates.load(Ordering::Relaxed) > 0);
    (hits, problems)
}

fn zipped(name: &str, text: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file(name, options).expect("a zip");
    zip.write_all(text).expect("a zip");
    zip.finish().expect("a zip").into_inner()
}

fn tarred(name: &str, text: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, text).expect("a tar");
    tar.into_inner().expect("a tar")
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text).expect("a gzip");
    gzip.finish().expect("a gzip")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn a_token_is_found_among_look_alikes_and_nothing_else_is() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("src")).expect("a folder");
    let write =
        |name: &str, text: String| fs::write(folder.path().join(name), text).expect("a file");
    for number in 0..200 {
        write(
            &format!("src/{number}.py"),
            format!("KEY = '{LOOK_ALIKE}{number}'\n"),
        );
    }
    write("src/live.py", format!("import os\n\nKEY = '{TOKEN}'\n"));
    assert_eq!(
        places(folder.path()),
        [("/src/live.py".to_owned(), None, 3)]
    );
}

#[test]
fn archives_in_archives_are_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("{LOOK_ALIKE}\n{TOKEN}\n");
    let text = text.as_bytes();
    for (name, content) in [
        ("a.zip", zipped("x/.env", text)),
        ("b.tar", tarred("y/.env", text)),
        ("c.tgz", gzipped(&tarred("z/.env", text))),
        ("d.zst", zstd(text)),
        (
            "e.zip",
            zipped("inner.tgz", &gzipped(&tarred("w", &zipped("v", text)))),
        ),
    ] {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    let of = |file: &str, entry: Option<&str>| (file.to_owned(), entry.map(str::to_owned), 2);
    let mut found = places(folder.path());
    // Stored without compression, it stands in the archive's own bytes, too.
    found.retain(|(file, entry, _)| entry.is_some() || file == "/d.zst");
    assert_eq!(
        found,
        [
            of("/a.zip", Some("x/.env")),
            of("/b.tar", Some("y/.env")),
            of("/c.tgz", Some("z/.env")),
            of("/d.zst", None),
            of("/e.zip", Some("inner.tgz!w!v")),
        ]
    );
}

#[test]
fn what_is_damaged_is_told_and_the_rest_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broken = gzipped(format!("{LOOK_ALIKE}\n").repeat(1_000).as_bytes());
    broken.truncate(40);
    fs::write(folder.path().join("broken.gz"), broken).expect("a file");
    fs::write(
        folder.path().join("zip"),
        b"PK\x03\x04 and nothing of a zip",
    )
    .expect("a file");
    fs::write(folder.path().join("live"), TOKEN).expect("a file");
    let (hits, problems) = run(folder.path());
    assert_eq!(hits.len(), 1);
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn a_token_that_was_taken_out_again_is_found_in_the_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .arg("-C")
            .arg(folder.path())
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments)
            .output()
            .expect("git is installed");
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout)
            .expect("text")
            .trim()
            .to_owned()
    };
    let write = |text: &str| fs::write(folder.path().join(".env"), text).expect("a file");
    git(&["init", "-q"]);
    write(&format!("A=1\nKEY={TOKEN}\n"));
    git(&["add", "-A"]);
    git(&["commit", "-qm", "Begin"]);
    let first = git(&["rev-parse", "HEAD"]);
    write(&format!("A=1\nKEY={LOOK_ALIKE}\n"));
    git(&["commit", "-qam", "Take the key out"]);
    git(&["gc", "-q"]);
    let (hits, problems) = run(folder.path());
    assert_eq!(problems, [] as [&str; 0]);
    assert_eq!(hits.len(), 1, "{hits:?}");
    let place = &hits[0].place;
    assert_eq!(place.commit.as_ref(), Some(&first));
    assert_eq!((place.entry.as_deref(), place.line), (Some(".env"), 2));
}
