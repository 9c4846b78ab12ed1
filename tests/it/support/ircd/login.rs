//! Accounts: SASL PLAIN, EXTERNAL and SCRAM-SHA-256 (RFC 4616, 4422, 5802, 7677), and a NickServ.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::network::{ClientId, Network};

const ITERATIONS: u32 = 4096;
const SALT: &[u8] = b"of the earth";

/// A SASL exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    mechanism: String,
    /// What has come of a message.
    so_far: String,
    /// SCRAM's first message of the client, and ours.
    scram: Option<(String, String)>,
    /// The account that is proved; the client has to say that it has seen our proof.
    proved: Option<String>,
}

fn sign(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

/// An attribute of a SCRAM message.
fn attribute<'a>(message: &'a str, name: &str) -> &'a str {
    message.split(',').find_map(|one| one.strip_prefix(name)).unwrap_or_default()
}

impl Network {
    fn mechanisms(&self) -> String {
        let sasl = self.options.capabilities.iter().find_map(|one| one.strip_prefix("sasl="));
        sasl.unwrap_or("PLAIN").to_owned()
    }

    pub(super) fn authenticate(&mut self, id: ClientId, chunk: &str) {
        if !self.clients[&id].has("sasl") {
            return self.refuse_login(id);
        }
        let Some(mut exchange) = self.client(id).sasl.take() else {
            let mechanisms = self.mechanisms();
            if !mechanisms.split(',').any(|one| one == chunk) {
                self.numeric(id, 908, &format!("{mechanisms} :are available SASL mechanisms"));
                return self.refuse_login(id);
            }
            let mechanism = chunk.to_owned();
            let exchange = Exchange { mechanism, so_far: String::new(), scram: None, proved: None };
            self.client(id).sasl = Some(exchange);
            return self.deliver(id, "fake.irc", "", "AUTHENTICATE +");
        };
        match chunk {
            "*" => return self.numeric(id, 906, ":SASL authentication aborted"),
            "+" => {}
            chunk => exchange.so_far.push_str(chunk),
        }
        // A chunk of 400 announces another.
        if chunk.len() == 400 {
            self.client(id).sasl = Some(exchange);
            return;
        }
        let decoded = STANDARD.decode(std::mem::take(&mut exchange.so_far)).ok();
        let message = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        match exchange.mechanism.as_str() {
            "PLAIN" => self.plain(id, &message),
            "EXTERNAL" => {
                let shown = self.clients[&id].certificate.clone();
                let account = shown.and_then(|shown| self.certificates.get(&shown).cloned());
                self.answer_login(id, account);
            }
            _ => self.scram(id, &message, exchange),
        }
    }

    fn plain(&mut self, id: ClientId, message: &str) {
        let account = match message.split('\0').collect::<Vec<_>>().as_slice() {
            [_, name, password] => self.account(name, password),
            _ => None,
        };
        self.answer_login(id, account);
    }

    /// The account of this name and password.
    fn account(&self, name: &str, password: &str) -> Option<String> {
        let known = |one: &&(String, String)| one.0.eq_ignore_ascii_case(name) && one.1 == password;
        self.options.accounts.iter().find(known).map(|(name, _)| name.clone())
    }

    fn scram(&mut self, id: ClientId, message: &str, mut exchange: Exchange) {
        let Some((client_first, server_first)) = &exchange.scram else {
            let Some(bare) = message.strip_prefix("n,,") else { return self.refuse_login(id) };
            let nonce = attribute(bare, "r=");
            let first = format!("r={nonce}fake,s={},i={ITERATIONS}", STANDARD.encode(SALT));
            self.deliver(id, "fake.irc", "", &format!("AUTHENTICATE {}", STANDARD.encode(&first)));
            exchange.scram = Some((bare.to_owned(), first));
            self.client(id).sasl = Some(exchange);
            return;
        };
        if let Some(account) = exchange.proved {
            return self.answer_login(id, Some(account));
        }
        let name = attribute(client_first, "n=");
        let found = self.options.accounts.iter().find(|(account, _)| account.eq_ignore_ascii_case(name));
        let Some((account, password)) = found.cloned() else { return self.refuse_login(id) };
        let mut salted = [0; 32];
        let count = NonZeroU32::new(ITERATIONS).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, count, SALT, password.as_bytes(), &mut salted);
        let (without_proof, proof) = message.rsplit_once(",p=").unwrap_or_default();
        let signed = format!("{client_first},{server_first},{without_proof}");
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        let signature = sign(stored_key.as_ref(), signed.as_bytes());
        let expected: Vec<u8> =
            client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
        if STANDARD.decode(proof).ok() != Some(expected) {
            return self.refuse_login(id);
        }
        let key = if self.faults.forgot_passwords { vec![0; 32] } else { sign(&salted, b"Server Key") };
        let last = format!("v={}", STANDARD.encode(sign(&key, signed.as_bytes())));
        self.deliver(id, "fake.irc", "", &format!("AUTHENTICATE {}", STANDARD.encode(last)));
        exchange.proved = Some(account);
        self.client(id).sasl = Some(exchange);
    }

    fn answer_login(&mut self, id: ClientId, account: Option<String>) {
        let Some(account) = account else { return self.refuse_login(id) };
        self.log_in(id, &account);
        self.numeric(id, 903, ":SASL authentication successful");
    }

    fn refuse_login(&mut self, id: ClientId) {
        self.numeric(id, 904, ":SASL authentication failed");
    }

    fn log_in(&mut self, id: ClientId, account: &str) {
        let source = self.clients[&id].source();
        self.client(id).account = Some(account.to_owned());
        self.numeric(id, 900, &format!("{source} {account} :You are now logged in as {account}"));
    }

    /// What is said to NickServ; it knows one command.
    pub(super) fn nickserv(&mut self, id: ClientId, text: &str) {
        let nick = self.clients[&id].nick().to_owned();
        let account = match text.split(' ').collect::<Vec<_>>().as_slice() {
            ["IDENTIFY", password] => self.account(&nick, password),
            ["IDENTIFY", name, password] => self.account(name, password),
            _ => None,
        };
        if let Some(account) = &account {
            self.log_in(id, account);
        }
        let says = if account.is_some() { "You are now identified." } else { "Invalid password." };
        self.deliver(id, "NickServ!services@services.fake", "", &format!("NOTICE {nick} :{says}"));
    }

    /// `WHOIS NickServ`.
    pub(super) fn whois_nickserv(&mut self, id: ClientId) {
        self.numeric(id, 311, "NickServ services services.fake * :Nickname Services");
        self.numeric(id, 312, "NickServ services.fake :Services");
        self.numeric(id, 313, "NickServ :is a Network Service");
        self.numeric(id, 318, "NickServ :End of /WHOIS list.");
    }
}
