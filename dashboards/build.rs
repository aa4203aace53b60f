//! Makes sure that there is a console to embed: where it was not built yet, a page that says how to build it.

use std::path::Path;
use std::{fs, io};

const PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tokenwatch</title>\
<p>The console is not part of this build. <code>make build</code> builds it; the API is at <code>/api/v1</code>.</p></html>\n";

fn main() -> io::Result<()> {
    // Watched, so that a release build embeds files that a later build of the console adds.
    println!("cargo::rerun-if-changed=web/dist");
    let index = Path::new("web/dist/index.html");
    if !index.exists() {
        fs::create_dir_all("web/dist")?;
        fs::write(index, PAGE)?;
    }
    Ok(())
}
