//! The IRC side.
