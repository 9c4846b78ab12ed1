//! Who one is on a network, and what the connection can do: nick, login, certificate, capabilities.

use super::{Context, usage};
use crate::bridge::{
    CertificateRequest, LoginMethod, LoginRequest, Outcome, Refusal, Request, ServiceAddress, WishChange,
};
use crate::names::Nick;

/// `nick [NETWORK] [NICK]`.
pub(super) async fn nick(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if rest.is_empty() {
        return session.ask(Request::Nick(None)).await;
    }
    let nick = Nick::new(rest).map_err(|error| Refusal::asked(format!("{rest} is no nick: {error}.")))?;
    session.ask(Request::Nick(Some(nick))).await
}

/// More would only make a refusal slow.
const MOST_ALTERNATIVES: usize = 8;

/// `nicks [NETWORK] [NICK… | off]`.
pub(super) async fn nicks(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    if rest.is_empty() {
        return session.ask(Request::Alternatives(None)).await;
    }
    let words: Vec<&str> = rest.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if words.len() > MOST_ALTERNATIVES {
        return Err(Refusal::asked(format!("{MOST_ALTERNATIVES} nicks are enough.")));
    }
    if rest.eq_ignore_ascii_case("off") {
        return session.ask(Request::Alternatives(Some(Vec::new()))).await;
    }
    let nick =
        |word: &&str| Nick::new(word).map_err(|error| Refusal::asked(format!("{word} is no nick: {error}.")));
    let nicks = words.iter().map(nick).collect::<Result<_, _>>()?;
    session.ask(Request::Alternatives(Some(nicks))).await
}

/// `sasl [NETWORK] [ACCOUNT [PASSWORD] | off]`.
pub(super) async fn sasl(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let login = match rest.split_once(char::is_whitespace) {
        None if rest.is_empty() => return session.ask(Request::Login(LoginRequest::Show)).await,
        None if rest.eq_ignore_ascii_case("off") => None,
        None => Some((rest.to_owned(), None)),
        Some((account, password)) => Some((account.to_owned(), Some(password.trim().to_owned().into()))),
    };
    session.ask(Request::Sasl(login)).await
}

/// `login [NETWORK] [required | optional | sasl | nickserv [NickServ@HOST]]`.
pub(super) async fn login(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let (word, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let request = match (word.to_ascii_lowercase().as_str(), more.trim()) {
        ("", _) => LoginRequest::Show,
        ("required", "") => LoginRequest::Required(true),
        ("optional", "") => LoginRequest::Required(false),
        ("sasl", "") => LoginRequest::Method(LoginMethod::Sasl),
        ("nickserv", "") => LoginRequest::Method(LoginMethod::NickServ(None)),
        ("nickserv", address) => match ServiceAddress::parse(address) {
            Some(address) => LoginRequest::Method(LoginMethod::NickServ(Some(address))),
            None => {
                return Err(Refusal::asked(format!(
                    "{address} is no full address of a service, as NickServ@services.example.org is."
                )));
            }
        },
        _ => return usage(&context, "login"),
    };
    session.ask(Request::Login(request)).await
}

/// `certfp [NETWORK] [generate | set PEM | show | remove]`.
pub(super) async fn certfp(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let (word, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let request = match (word.to_ascii_lowercase().as_str(), more.trim()) {
        ("generate", "") => CertificateRequest::Generate,
        ("show" | "", "") => CertificateRequest::Show,
        ("remove", "") => CertificateRequest::Remove,
        ("set", pem) if !pem.is_empty() => CertificateRequest::Set(pem.to_owned().into()),
        _ => return usage(&context, "certfp"),
    };
    session.ask(Request::Certificate(request)).await
}

/// `capabilities [NETWORK] [+NAME | -NAME … | reset]`.
pub(super) async fn capabilities(context: Context<'_>) -> Outcome {
    let (session, rest) = context.session()?;
    let change = match rest {
        "" => WishChange::Show,
        word if word.eq_ignore_ascii_case("reset") => WishChange::Reset,
        words if words.starts_with(['+', '-']) => match words.parse() {
            Ok(wishes) => WishChange::Change(wishes),
            Err(error) => return Err(Refusal::asked(format!("That can't be: {error}."))),
        },
        _ => return usage(&context, "capabilities"),
    };
    session.ask(Request::Capabilities(change)).await
}
