//! Which files there are to read, and which conversation each of them is a log of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::super::formats::{weechat, znc};
use crate::cli::CliError;

/// Folders within folders that are looked into.
const DEEPEST: usize = 8;

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Log {
    /// The day that ZNC's file is of; `None` for WeeChat's, whose lines tell it.
    pub(super) day: Option<Date>,
    pub(super) path: PathBuf,
}

struct Found {
    network: Option<String>,
    buffer: String,
    log: Log,
}

/// The logs by conversation, oldest first. `names` are what the network may be called in their paths.
pub(super) fn find(
    paths: &[PathBuf],
    is_znc: bool,
    buffer: Option<&str>,
    names: &[&str],
) -> Result<BTreeMap<String, Vec<Log>>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        let unreadable = |error| CliError::Usage(format!("{} can't be read: {error}", path.display()));
        // Where it lies tells whose it is, also where it was named from within.
        let path = std::fs::canonicalize(path).map_err(unreadable)?;
        let before = found.len();
        collect(&path, is_znc, buffer, DEEPEST, &mut found).map_err(unreadable)?;
        if path.is_file() && found.len() == before {
            return Err(CliError::Usage(format!(
                "the name of {} tells neither its conversation nor, for ZNC, its day: see --buffer",
                path.display()
            )));
        }
    }
    of_one_network(&mut found, names)?;
    let mut logs: BTreeMap<String, Vec<Log>> = BTreeMap::new();
    for Found { buffer, log, .. } in found {
        logs.entry(buffer).or_default().push(log);
    }
    for logs in logs.values_mut() {
        logs.sort();
        logs.dedup();
    }
    Ok(logs)
}

fn collect(
    path: &Path,
    is_znc: bool,
    buffer: Option<&str>,
    depth: usize,
    found: &mut Vec<Found>,
) -> std::io::Result<()> {
    if path.is_dir() {
        if depth > 0 {
            for entry in std::fs::read_dir(path)? {
                collect(&entry?.path(), is_znc, buffer, depth - 1, found)?;
            }
        }
        return Ok(());
    }
    found.extend(if is_znc { of_znc(path, buffer) } else { of_weechat(path, buffer) });
    Ok(())
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn of_weechat(path: &Path, buffer: Option<&str>) -> Option<Found> {
    let name = name_of(path)?;
    let log = Log { day: None, path: path.to_owned() };
    match (weechat::buffer_of(name), buffer) {
        (Some((network, _)), Some(buffer)) | (Some((network, buffer)), None) => {
            Some(Found { network: Some(network.to_owned()), buffer: buffer.to_owned(), log })
        }
        (None, Some(buffer)) => Some(Found { network: None, buffer: buffer.to_owned(), log }),
        (None, None) => None,
    }
}

fn of_znc(path: &Path, buffer: Option<&str>) -> Option<Found> {
    let name = name_of(path)?;
    let log = Log { day: Some(znc::day_of(name)?), path: path.to_owned() };
    if let Some(channel) = znc::channel_of(name) {
        return Some(Found { network: None, buffer: buffer.unwrap_or(channel).to_owned(), log });
    }
    let folder = path.parent()?;
    let network = folder.parent().and_then(name_of).map(str::to_owned);
    let buffer = match buffer {
        Some(buffer) => buffer,
        None => name_of(folder)?,
    };
    Some(Found { network, buffer: buffer.to_owned(), log })
}

/// Leaves the logs of other networks out; where none of several is the one that is meant, somebody has to say which.
fn of_one_network(found: &mut Vec<Found>, names: &[&str]) -> Result<(), CliError> {
    let mut networks: Vec<String> = found.iter().filter_map(|found| found.network.clone()).collect();
    networks.sort_unstable();
    networks.dedup();
    let is_meant = |network: &str| names.iter().any(|name| name.eq_ignore_ascii_case(network));
    if networks.iter().any(|network| is_meant(network)) {
        found.retain(|found| found.network.as_deref().is_none_or(is_meant));
    } else if networks.len() > 1 {
        return Err(CliError::Usage(format!(
            "these are logs of {}: name the files or the folder of the one that you mean",
            networks.join(", ")
        )));
    }
    Ok(())
}
