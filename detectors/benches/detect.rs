//! How many decoded events the engine takes per second.
fn main() {
    divan::main();
}
