//! The registration for double puppeting: the right to speak as the homeserver's own users, and nothing else. The
//! homeserver sends nothing to it (`url: null`), and it takes no name away from anybody (not exclusive).
//!
//! Pure: values in, text out.
//!
//! Spec: Matrix application service API, "Registration".

use std::fmt::Write as _;

use secrecy::{ExposeSecret, SecretString};

use super::registration::{Flavour, escape, quoted};

/// What such a registration holds.
#[derive(Debug, Clone)]
pub struct DoublePuppet {
    /// Its id, which never changes.
    pub id: String,
    /// The localpart of a user that nobody is.
    pub sender: String,
    /// The homeserver's name.
    pub domain: String,
    /// Towline's token.
    pub as_token: SecretString,
    /// The homeserver's token, which it never uses.
    pub hs_token: SecretString,
}

impl DoublePuppet {
    /// The id and the sender that go with a registration's own.
    pub fn name(of: &str) -> String {
        format!("{of}-double-puppet")
    }

    /// The file, every scalar that is text in double quotes.
    pub fn to_yaml(&self, flavour: Flavour) -> String {
        let mut text = String::from(
            "# Towline's second registration, for double puppeting. Who has its token may speak as every user of the\n\
             # homeserver: keep it readable only to the homeserver and Towline.\n",
        );
        for line in flavour.instructions() {
            let _ = writeln!(text, "# {}", line.replace("towline-registration", "towline-double-puppet"));
        }
        text.push_str("# Written by `towline registration --double-puppet`, which keeps the tokens.\n\n");
        let _ = writeln!(text, "id: {}\nurl: null", quoted(&self.id));
        let _ = writeln!(text, "as_token: {}", quoted(self.as_token.expose_secret()));
        let _ = writeln!(text, "hs_token: {}", quoted(self.hs_token.expose_secret()));
        let _ = writeln!(text, "sender_localpart: {}", quoted(&self.sender));
        let users = quoted(&format!("^@.+:{}$", escape(&self.domain)));
        let _ = writeln!(text, "namespaces:\n  users:\n    - regex: {users}\n      exclusive: false");
        text.push_str("  aliases: []\n  rooms: []\nrate_limited: false\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_hears_nothing_and_takes_nobodys_name() {
        let yaml = DoublePuppet {
            id: DoublePuppet::name("towline"),
            sender: DoublePuppet::name("towline"),
            domain: "example.org".into(),
            as_token: "as".into(),
            hs_token: "hs".into(),
        }
        .to_yaml(Flavour::Synapse);
        let read: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
        assert!(read.get("url").is_some_and(serde_yaml::Value::is_null));
        assert_eq!(read["id"], "towline-double-puppet");
        let users = &read["namespaces"]["users"][0];
        assert_eq!((&users["regex"], &users["exclusive"]), (&r"^@.+:example\.org$".into(), &false.into()));
        assert_eq!(read["rate_limited"], false);
    }
}
