//! Secrets: where they may come from, and the key file.
//!
//! A secret is a [`SecretString`] from the moment it is read. Nothing here prints one, and no error quotes one.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use secrecy::{SecretBox, SecretString};
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
    #[error("the key file {} does not hold 32 bytes in base64", file.display())]
    Content {
        /// The file.
        file: PathBuf,
    },
}

/// Reads the key file: one line of base64.
pub fn read_key(file: &Path) -> Result<SecretKey, SecretKeyError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| SecretKeyError::Read { file: file.to_owned(), source })?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok();
    let key: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
    match key {
        Some(key) => Ok(SecretBox::new(Box::new(key))),
        None => Err(SecretKeyError::Content { file: file.to_owned() }),
    }
}

/// The content of a key file.
#[must_use]
pub fn key_line(key: &[u8; 32]) -> String {
    format!("{}\n", base64::engine::general_purpose::STANDARD.encode(key))
}
