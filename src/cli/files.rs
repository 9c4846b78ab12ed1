//! Writing files that hold secrets: readable only to their owner, and either whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::CliError;

/// The mode of a new file.
const PRIVATE: u32 = 0o600;

/// Makes a folder, and those around it, if it is not there.
pub(super) fn make_folder(folder: &Path) -> Result<(), CliError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| CliError::Write { file: folder.to_owned(), source })
}

/// Opens a file to write that must not exist yet.
pub(super) fn begin(file: &Path) -> Result<fs::File, CliError> {
    open_new(file, PRIVATE).map_err(|source| not_created(file, source))
}

fn not_created(file: &Path, source: std::io::Error) -> CliError {
    match source.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::Exists(file.to_owned()),
        _ => CliError::Write { file: file.to_owned(), source },
    }
}

/// Writes a file that must not exist yet.
pub(super) fn create(file: &Path, content: &str) -> Result<(), CliError> {
    write_new(file, content, PRIVATE).map_err(|source| not_created(file, source))
}

/// Writes a file in place of the one that may be there, whose mode and owner it keeps: at every moment the old one or the new
/// one is there, whole.
pub(super) fn replace(file: &Path, content: &str) -> Result<(), CliError> {
    // A link stays a link.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let before = fs::metadata(&target).ok();
    let mode = before.as_ref().map_or(PRIVATE, |found| found.permissions().mode() & 0o777);
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let temporary = target.with_file_name(name);
    let written = write_new(&temporary, content, mode).and_then(|()| {
        if let Some(before) =
            before.filter(|before| Some(before.uid()) != fs::metadata(&temporary).ok().map(|new| new.uid()))
        {
            // It stays whose it was, whoever writes it.
            std::os::unix::fs::chown(&temporary, Some(before.uid()), Some(before.gid()))?;
        }
        fs::rename(&temporary, &target)?;
        // That it has this name now must survive power loss, too.
        fs::File::open(target.parent().unwrap_or(Path::new("/")))?.sync_all()
    });
    written.map_err(|source| {
        // The error that counts is the first; a leftover is only untidy.
        let _ = fs::remove_file(&temporary);
        CliError::Write { file: file.to_owned(), source }
    })
}

fn open_new(file: &Path, mode: u32) -> std::io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(file)
}

fn write_new(file: &Path, content: &str, mode: u32) -> std::io::Result<()> {
    let mut opened = open_new(file, mode)?;
    opened.write_all(content.as_bytes())?;
    opened.sync_all()
}
