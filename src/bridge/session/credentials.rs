//! How a user logs in to a network: account and password, method, certificate. What is set here holds from the next
//! connection on.
//!
//! Invariant 10: password and certificate go into the store, sealed, and nowhere else; answers show neither.

use secrecy::{ExposeSecret, SecretString};

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use crate::format::RichText;
use crate::irc::tls::ClientCertificate;
use crate::store::StoreError;
use crate::store::settings::{self, Scope, Setting};

pub use crate::irc::session::{LoginMethod, ServiceAddress};

/// The value of `login-required` that is not the default.
pub(super) const OFF: &str = "off";
/// The value of `login-method` that is not the default; an address may follow.
const NICKSERV: &str = "nickserv";

/// What is asked about the way to log in.
#[derive(Debug)]
pub enum LoginRequest {
    /// See how it is set.
    Show,
    /// Whether there is a connection without a login.
    Required(bool),
    /// By SASL, or by NickServ.
    Method(LoginMethod),
}

/// What is asked about the certificate.
#[derive(Debug)]
pub enum CertificateRequest {
    /// Make one.
    Generate,
    /// Take this one: a certificate and its key, as PEM.
    Set(SecretString),
    /// See its fingerprints.
    Show,
    /// Forget it.
    Remove,
}

/// Reads the stored method.
pub(super) fn login_method(stored: &str) -> LoginMethod {
    match stored.strip_prefix(NICKSERV) {
        Some(address) => LoginMethod::NickServ(ServiceAddress::parse(address.trim())),
        None => LoginMethod::Sasl,
    }
}

impl Actor {
    pub(super) async fn stored(&mut self, setting: &Setting) -> Result<Option<settings::Value>, StoreError> {
        self.bridge.store.setting(setting, Scope::Session, self.row.id).await
    }

    pub(super) async fn store_setting(
        &mut self,
        setting: &'static Setting,
        value: Option<&str>,
    ) -> Result<(), StoreError> {
        self.bridge.store.set_setting(setting, Scope::Session, self.row.id, value).await
    }

    /// How to connect anew, which what was set waits for.
    pub(super) fn when_connected_anew(&self, text: RichText) -> RichText {
        let name = &self.network.name;
        text.text(format!(" It is used from the next connection to {name} on; to connect anew, type "))
            .code("disconnect")
            .text(" and ")
            .code("connect")
            .text(".")
    }

    pub(super) async fn sasl(&mut self, login: Option<(String, Option<SecretString>)>) -> Outcome {
        let (account, password) = login.unzip();
        let password = password.flatten();
        if account.is_some() && password.is_none() && self.stored(&settings::CERTIFICATE).await?.is_none() {
            return Err(Refusal::asked(
                "Type the password behind the account: sasl ACCOUNT PASSWORD. Without one you need a certificate, which \
                 certfp generate makes.",
            ));
        }
        let secret = password.as_ref().map(SecretString::expose_secret);
        // Together: one account's password must never be told as another's.
        let login = [(&settings::SASL_PASSWORD, secret), (&settings::SASL_ACCOUNT, account.as_deref())];
        self.bridge.store.set_settings(Scope::Session, self.row.id, &login).await?;
        let name = &self.network.name;
        Ok(match account {
            Some(account) => {
                let with = match secret {
                    Some(_) => "The password is stored encrypted.",
                    None => "Your certificate stands for the password.",
                };
                let text = format!(
                    "From the next connection to {name} on you are logged in as {account}. {with} To connect anew, type "
                );
                RichText::plain(text).code("disconnect").text(" and ").code("connect").text(".")
            }
            None => RichText::plain(format!(
                "You will not be logged in to {name} any more. The password is deleted."
            )),
        })
    }

    pub(super) async fn login(&mut self, request: LoginRequest) -> Outcome {
        let name = self.network.name.clone();
        match request {
            LoginRequest::Show => self.show_login().await,
            LoginRequest::Required(required) => {
                self.store_setting(&settings::LOGIN_REQUIRED, (!required).then_some(OFF)).await?;
                Ok(RichText::plain(if required {
                    format!("Without a login you are not connected to {name}, so that nobody sees your host.")
                } else {
                    format!(
                        "You are connected to {name} even if the login fails. Others may see your host then."
                    )
                }))
            }
            LoginRequest::Method(method) => {
                let (value, text) = match &method {
                    LoginMethod::Sasl => {
                        (None, "You log in by SASL, and by NickServ where there is none.".to_owned())
                    }
                    LoginMethod::NickServ(None) => (
                        Some(NICKSERV.to_owned()),
                        "You log in by NickServ, if the server shows it as a service of the network."
                            .to_owned(),
                    ),
                    LoginMethod::NickServ(Some(address)) => (
                        Some(format!("{NICKSERV} {address}")),
                        format!("You log in by telling {address} the password."),
                    ),
                };
                self.store_setting(&settings::LOGIN_METHOD, value.as_deref()).await?;
                Ok(self.when_connected_anew(RichText::plain(text)))
            }
        }
    }

    async fn show_login(&mut self) -> Outcome {
        let name = self.network.name.clone();
        let Some(account) = self.stored(&settings::SASL_ACCOUNT).await? else {
            return Ok(RichText::plain(format!("You don't log in to {name}. To do so, type "))
                .code("sasl ACCOUNT PASSWORD")
                .text("."));
        };
        let method = self.stored(&settings::LOGIN_METHOD).await?;
        let method = login_method(method.as_ref().map_or("", settings::Value::text));
        let has_password = self.stored(&settings::SASL_PASSWORD).await?.is_some();
        let has_certificate = self.stored(&settings::CERTIFICATE).await?.is_some();
        let with = match (has_certificate, has_password) {
            (true, true) => "certificate or password",
            (true, false) => "certificate",
            (false, _) => "password",
        };
        let how = match method {
            LoginMethod::Sasl => format!("by SASL, with your {with}"),
            LoginMethod::NickServ(None) => "by NickServ".to_owned(),
            LoginMethod::NickServ(Some(address)) => format!("by {address}"),
        };
        let required = self.stored(&settings::LOGIN_REQUIRED).await?;
        let otherwise = if required.is_some_and(|value| value.text() == OFF) {
            "If that fails, you are connected without."
        } else {
            "Without that you are not connected."
        };
        let account = account.text();
        Ok(RichText::plain(format!("You log in to {name} as {account}, {how}. {otherwise}")))
    }

    pub(super) async fn certificate(&mut self, request: CertificateRequest) -> Outcome {
        let stored = self.stored(&settings::CERTIFICATE).await?;
        let name = self.network.name.clone();
        match (request, stored) {
            (CertificateRequest::Generate | CertificateRequest::Set(_), Some(_)) => {
                Err(Refusal::asked(format!(
                    "You have a certificate for {name}, and services may know you by it. If you don't need it any more, \
                 type certfp remove first."
                )))
            }
            (CertificateRequest::Generate, None) => {
                let made = ClientCertificate::generate(self.bridge.clock.unix_ms());
                let pem = made.map_err(|error| Refusal::asked(format!("It could not be made: {error}.")))?;
                self.keep_certificate(&pem).await
            }
            (CertificateRequest::Set(pem), None) => self.keep_certificate(&pem).await,
            (CertificateRequest::Show, Some(pem)) => self.show_certificate(&pem.into_secret()),
            (CertificateRequest::Remove, Some(_)) => {
                self.store_setting(&settings::CERTIFICATE, None).await?;
                Ok(RichText::plain(format!(
                    "The certificate is deleted, and from the next connection to {name} on it is not shown. Services \
                     may still list its fingerprint."
                )))
            }
            (CertificateRequest::Show | CertificateRequest::Remove, None) => {
                Ok(RichText::plain(format!("You have no certificate for {name}. To make one, type "))
                    .code("certfp generate")
                    .text("."))
            }
        }
    }

    async fn keep_certificate(&mut self, pem: &SecretString) -> Outcome {
        // What can't be used is not kept.
        let shown = self.show_certificate(pem)?;
        self.store_setting(&settings::CERTIFICATE, Some(pem.expose_secret())).await?;
        Ok(self
            .when_connected_anew(RichText::plain("The certificate is stored encrypted."))
            .line()
            .then(shown))
    }

    fn show_certificate(&self, pem: &SecretString) -> Outcome {
        let certificate = ClientCertificate::from_pem(pem)
            .map_err(|error| Refusal::asked(format!("The certificate can't be used: {error}.")))?;
        let ends = jiff::Timestamp::from_millisecond(certificate.ends_at()).ok();
        let ends = ends.map_or_else(String::new, |ends| ends.strftime("%Y-%m-%d").to_string());
        let name = &self.network.name;
        let (sha256, sha512) = (certificate.sha256(), certificate.sha512());
        Ok(RichText::plain(format!("Your certificate for {name} ends on {ends}. SHA-512: "))
            .code(&sha512)
            .line()
            .text("SHA-256: ")
            .code(&sha256)
            .line()
            .text("Let the network's services know it, once: connect with it, log in, and type ")
            .code("msg NickServ CERT ADD")
            .text(". Where they want it spelt out, that is ")
            .code(format!("msg NickServ CERT ADD {sha512}"))
            .text(" (Atheme, as on Libera.Chat) or ")
            .code(format!("msg NickServ CERT ADD {sha256}"))
            .text(" (Ergo). From then on ")
            .code("sasl ACCOUNT")
            .text(" logs you in without a password."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing("", LoginMethod::Sasl)]
    #[case::sasl("sasl", LoginMethod::Sasl)]
    #[case::nickserv("nickserv", LoginMethod::NickServ(None))]
    #[case::address(
        "nickserv NickServ@services.test",
        LoginMethod::NickServ(ServiceAddress::parse("NickServ@services.test"))
    )]
    fn a_stored_method_is_read(#[case] stored: &str, #[case] method: LoginMethod) {
        assert_eq!(login_method(stored), method);
    }
}
