//! Secrets: where they may come from, and the key file.
//!
//! A secret is a [`SecretString`] from the moment it is read. Nothing here prints one, and no error quotes one.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde_yaml::Value;

/// The environment, passed in so that a test has its own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where systemd puts the credentials of a service.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A file of a secret: an absolute name as it is; a relative one among the credentials, if it is there, or else
/// beside the configuration.
pub(super) fn file(name: &str, folder: &Path, environment: Environment<'_>) -> PathBuf {
    let among_credentials =
        environment(CREDENTIALS).filter(|directory| !directory.is_empty()).map(|d| Path::new(&d).join(name));
    match among_credentials {
        Some(path) if path.exists() => path,
        _ => folder.join(name),
    }
}

/// The content of a secret's file, without the line break at its end.
pub(super) fn read(path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} can't be read: {}", path.display(), plain(&error)))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(text.into()) }
}

/// What the system said, without its number.
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    }
}

/// The two tokens of a registration, as far as the file has them.
pub(super) struct Tokens {
    pub(super) as_token: Option<SecretString>,
    pub(super) hs_token: Option<SecretString>,
}

/// Reads the tokens from a registration. The rest of that file belongs to `matrix::registration`.
pub(super) fn registration_tokens(path: &Path) -> Result<Tokens, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} can't be read: {}", path.display(), plain(&error)))?;
    let document: Value =
        serde_yaml::from_str(&text).map_err(|_| format!("{} is no valid YAML", path.display()))?;
    let token = |key: &str| document.get(key).and_then(Value::as_str).map(SecretString::from);
    Ok(Tokens { as_token: token("as_token"), hs_token: token("hs_token") })
}

/// The 32 bytes that seal secrets in the database.
pub type SecretKey = SecretBox<[u8; 32]>;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file can't be read.
    #[error(
        "the key file {} can't be read: {}; `towline init` makes one, and if the database was used before it must be the same one",
        file.display(), plain(source)
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error(
        "the key file {} does not hold 32 bytes in base64; with older keys, each on a line of its own behind its number",
        file.display()
    )]
    Content {
        /// The file.
        file: PathBuf,
    },
}

/// The keys of a key file, each with its number.
#[derive(Debug)]
pub struct SecretKeys {
    /// The one that seals: the first line.
    pub present: (u8, SecretKey),
    /// Those of before, which only open: the lines below.
    pub older: Vec<(u8, SecretKey)>,
}

/// Reads the key file: a line of base64 for each key, behind its number, which the very first key has not.
pub fn read_keys(file: &Path) -> Result<SecretKeys, SecretKeyError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| SecretKeyError::Read { file: file.to_owned(), source })?;
    keys(&text).ok_or_else(|| SecretKeyError::Content { file: file.to_owned() })
}

fn keys(text: &str) -> Option<SecretKeys> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut keys = lines.map(key_of).collect::<Option<Vec<_>>>()?.into_iter();
    let keys = SecretKeys { present: keys.next()?, older: keys.collect() };
    let mut numbers: Vec<u8> = keys.older.iter().map(|(number, _)| *number).chain([keys.present.0]).collect();
    numbers.sort_unstable();
    let before = numbers.len();
    numbers.dedup();
    (numbers.len() == before).then_some(keys)
}

fn key_of(line: &str) -> Option<(u8, SecretKey)> {
    let (number, text) = match line.split_once(' ') {
        Some((number, text)) => (number.parse().ok().filter(|number| *number > 0)?, text),
        None => (1, line),
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
    Some((number, SecretBox::new(Box::new(bytes.try_into().ok()?))))
}

impl SecretKeys {
    /// The content of a key file with these.
    #[must_use]
    pub fn to_text(&self) -> String {
        let all = std::iter::once(&self.present).chain(&self.older);
        all.map(|(number, key)| match number {
            1 => key_line(key.expose_secret()),
            _ => format!("{number} {}", key_line(key.expose_secret())),
        })
        .collect()
    }
}

/// A key as it stands in a key file.
#[must_use]
pub fn key_line(key: &[u8; 32]) -> String {
    format!("{}\n", base64::engine::general_purpose::STANDARD.encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn line(byte: u8) -> String {
        key_line(&[byte; 32])
    }

    #[rstest]
    #[case::of_init(line(7), Some(vec![(1, 7)]))]
    #[case::two(format!("2 {}{}", line(8), line(7)), Some(vec![(2, 8), (1, 7)]))]
    #[case::later(format!("255 {}\n254 {}", line(8), line(7)), Some(vec![(255, 8), (254, 7)]))]
    #[case::no_number(format!("0 {}", line(8)), None)]
    #[case::too_high(format!("256 {}", line(8)), None)]
    #[case::twice_the_same(format!("1 {}{}", line(8), line(7)), None)]
    #[case::half(line(7)[..20].to_owned(), None)]
    #[case::nothing("\n".to_owned(), None)]
    fn a_key_file_has_a_key_on_each_line(#[case] text: String, #[case] expected: Option<Vec<(u8, u8)>>) {
        let found = keys(&text);
        let seen = found.as_ref().map(|keys| {
            let all = std::iter::once(&keys.present).chain(&keys.older);
            all.map(|(number, key)| (*number, key.expose_secret()[0])).collect::<Vec<_>>()
        });
        assert_eq!(seen, expected);
        if let Some(found) = found {
            let again = keys(&found.to_text()).unwrap();
            assert_eq!((again.present.0, again.older.len()), (found.present.0, found.older.len()));
        }
    }
}
