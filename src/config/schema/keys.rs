//! The keys themselves.

mod conduct;
mod foundation;
mod networks;

use super::Key;

/// Every key, in the order of the documentation.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [foundation::KEYS, networks::KEYS, conduct::KEYS].into_iter().flatten()
}
