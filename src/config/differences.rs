//! What differs between two configurations, as far as it can't change while the bridge runs; and between two networks.

use secrecy::{ExposeSecret, SecretString};

use super::{AppService, Config, Database, Network};

impl Config {
    /// The sections in which another configuration differs; the permissions, the networks, the settings, the limits, the
    /// tokens of the registration and the log's level aside, which can change at any time.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let mut differences = Vec::new();
        let mut look = |section, is_other| {
            if is_other {
                differences.push(section);
            }
        };
        look("homeserver", self.homeserver != other.homeserver);
        look("appservice", self.appservice_text() != other.appservice_text());
        look("database", self.database_text() != other.database_text());
        look("secret_key_file", self.secret_key_file != other.secret_key_file);
        look("templates", self.templates != other.templates);
        look("limits.inbox_body", self.limits.inbox_body != other.limits.inbox_body);
        look("media", self.media != other.media);
        look("pictures", self.pictures != other.pictures);
        look("double_puppet", self.double_puppet_text() != other.double_puppet_text());
        look("ident", self.ident != other.ident);
        look("metrics", self.metrics != other.metrics);
        look("log.format", self.log.format != other.log.format);
        differences
    }

    // What follows shows secrets, and is compared and dropped. `Debug` hides them, so that a change would not be seen.

    fn appservice_text(&self) -> String {
        let AppService { id, bot, listen, url, registration_file, .. } = &self.appservice;
        format!("{id:?} {bot:?} {listen:?} {url:?} {}", registration_file.display())
    }

    fn double_puppet_text(&self) -> String {
        let token = self.double_puppet.as_ref().map(|puppets| puppets.as_token.expose_secret());
        format!("{:?} {token:?}", self.double_puppet)
    }

    fn database_text(&self) -> String {
        match &self.database {
            Database::Sqlite { path } => path.display().to_string(),
            Database::Postgres { url } => url.expose_secret().to_owned(),
        }
    }
}

impl Network {
    /// Whether another says the same, passwords included.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.text() == other.text()
    }

    /// Whether the way to it is the same: the servers, and whatever a connection begins with.
    #[must_use]
    pub fn has_the_same_way(&self, other: &Self) -> bool {
        let Self { name, avatar, flood, connections, history, channels, settings, shared, .. } =
            other.clone();
        Self { name, avatar, flood, connections, history, channels, settings, shared, ..self.clone() }
            .says_the_same(other)
    }

    fn text(&self) -> String {
        let password = self.password.as_ref().map(SecretString::expose_secret);
        let login = self.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
        let login = login.map(|(_, password)| password.expose_secret());
        format!("{self:?} {password:?} {login:?}")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The network of a file in which it says this besides its server.
    fn network(text: &str) -> Network {
        let file = format!(
            "homeserver: {{ url: \"http://a\", domain: example.org }}\npermissions: {{ example.org: user }}\n\
             appservice: {{ as_token: a, hs_token: b }}\nnetworks: {{ town: {{ {text} }} }}\n"
        );
        let config = Config::parse(&file, Path::new("/towline.yaml"), &|_| None).unwrap();
        config.networks.into_values().find(|network| network.slug.as_str() == "town").unwrap()
    }

    const PLAIN: &str = "servers: [ { host: irc.example.org } ]";

    #[rstest::rstest]
    #[case::nothing("", true, true)]
    #[case::its_name(", name: Town", false, true)]
    #[case::how_long_it_is_kept(", history: 3d", false, true)]
    #[case::its_rooms(", channels: { \"#tea\": \"!a:example.org\" }", false, true)]
    #[case::its_settings(", settings: { presence: hide }", false, true)]
    #[case::its_shared_rooms(", shared: { published: true, room_version: \"11\" }", false, true)]
    #[case::its_pace(", flood: { burst: 2 }, connections: { parallel: 1 }", false, true)]
    #[case::a_password(", password: secret", false, false)]
    #[case::a_proxy(", proxy: { address: \"127.0.0.1:9050\" }", false, false)]
    #[case::an_address(", bind: [ 192.0.2.1 ]", false, false)]
    #[case::where_it_may_be(", allow_private: true", false, false)]
    fn what_differs_is_seen_and_whether_it_is_the_way(
        #[case] more: &str,
        #[case] same: bool,
        #[case] same_way: bool,
    ) {
        let (before, after) = (network(PLAIN), network(&format!("{PLAIN}{more}")));
        assert_eq!(before.says_the_same(&after), same);
        assert_eq!(before.has_the_same_way(&after), same_way);
        let other = network("servers: [ { host: irc.example.net } ]");
        assert!(!before.has_the_same_way(&other));
    }

    #[test]
    fn other_passwords_are_seen_although_no_text_shows_them() {
        let with = |password: &str| network(&format!("{PLAIN}, password: {password}"));
        assert!(!with("one").says_the_same(&with("two")));
        let with = |password: &str| {
            let proxy = format!("proxy: {{ address: \"127.0.0.1:9050\", user: x, password: {password} }}");
            network(&format!("{PLAIN}, {proxy}"))
        };
        assert!(!with("one").has_the_same_way(&with("two")));
    }
}
