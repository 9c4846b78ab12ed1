//! Embeds the migrations again when one is added: the macro that reads the folder can't know by itself.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
