//! What differs between two configurations, as far as it can't change while the bridge runs.

use secrecy::{ExposeSecret, SecretString};

use super::{AppService, Config, Database, Network};

impl Config {
    /// The sections in which another configuration differs; the permissions, the limits, the tokens of the registration and
    /// the log's level aside, which can change at any time.
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
        look("networks", self.networks_text() != other.networks_text());
        look("own_networks", self.own_networks != other.own_networks);
        look("templates", self.templates != other.templates);
        look("limits.inbox_body", self.limits.inbox_body != other.limits.inbox_body);
        look("media", self.media != other.media);
        look("pictures", self.pictures != other.pictures);
        look("settings", self.settings != other.settings);
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

    fn networks_text(&self) -> String {
        let text = |network: &Network| {
            let password = network.password.as_ref().map(SecretString::expose_secret);
            let login = network.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
            let login = login.map(|(_, password)| password.expose_secret());
            format!("{network:?} {password:?} {login:?}")
        };
        self.networks.values().map(text).collect()
    }
}
