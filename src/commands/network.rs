//! `network`: which networks there are, where each comes from, and others that come and go while the bridge runs.
//!
//! Users add networks of their own, where the configuration allows it; administrators add them for all. Of others' own
//! networks administrators see the name, the owner and the servers, and nobody else sees anything.

use std::sync::Arc;

use super::admin::{MOST_ROWS, and_more};
use super::meant::first_word;
use super::networks::no_network;
use super::{Context, usage, usage_of};
use crate::bridge::{Known, NewServer, Outcome, Refusal, Removal, Source};
use crate::config::{Permission, presets};
use crate::format::{RichText, Table};

/// Those who have a network open that are named.
const NAMED: usize = 10;

/// `network [NETWORK | add … | remove … | server …]`.
pub(super) async fn network(context: Context<'_>) -> Outcome {
    let (word, rest) = context.word();
    match word.to_ascii_lowercase().as_str() {
        "" | "list" if rest.is_empty() => Ok(list(&context)),
        "add" => add(&context, rest).await,
        "remove" => remove(&context, rest).await,
        "server" => server(&context, rest).await,
        _ if rest.is_empty() => match find(&context, word) {
            Some(known) => Ok(RichText::new().table(table_of(&context, &[known]))),
            None => Err(no_network(&context, word)),
        },
        _ => usage(&context, "network"),
    }
}

fn is_admin(context: &Context<'_>) -> bool {
    context.call.permission == Permission::Admin
}

fn list(context: &Context<'_>) -> RichText {
    let (networks, user) = (&context.bridge.networks, &context.call.user);
    let mut shown = networks.seen_by(user.id);
    if is_admin(context) {
        shown.extend(networks.all().into_iter().filter(|known| !known.is_for(user.id)));
    }
    let table = table_of(context, &shown[..shown.len().min(MOST_ROWS)]);
    let text = and_more(RichText::new().table(table), shown.len(), "networks");
    match networks.own().most {
        0 => text,
        most => text
            .line()
            .text(format!("You may have {most} of your own, which nobody else sees: "))
            .code("network add irc.example.org")
            .text("."),
    }
}

/// Where each network comes from, and its servers.
fn table_of(context: &Context<'_>, shown: &[Arc<Known>]) -> Table {
    let (networks, user) = (&context.bridge.networks, &context.call.user);
    let mut table = Table::new(["network", "name", "comes from", "servers"]);
    for known in shown {
        let Known { network, source } = &**known;
        let from = match source {
            Source::Configuration if networks.hides(network.slug.as_str()) => {
                "the configuration; what was added here is not used".to_owned()
            }
            Source::Configuration if network.preset => "the built-in ones".to_owned(),
            Source::Configuration => "the configuration".to_owned(),
            Source::Administrator => "an administrator, here".to_owned(),
            Source::User { id, .. } if *id == user.id => "you: your own".to_owned(),
            Source::User { user_id, .. } => format!("{user_id}: their own"),
        };
        let servers: Vec<String> = network.servers.iter().map(in_words).collect();
        table = table.row([
            RichText::new().code(network.slug.as_str()),
            RichText::plain(&network.name),
            RichText::plain(from),
            RichText::plain(servers.join(", ")),
        ]);
    }
    table
}

fn in_words(server: &crate::config::Server) -> String {
    let how = match (server.tls, server.verify, server.fingerprints.is_empty()) {
        (false, ..) => " (no TLS)",
        (true, _, false) => " (pinned)",
        (true, false, true) => " (not verified)",
        (true, true, true) => "",
    };
    let host = if server.host.contains(':') { format!("[{}]", server.host) } else { server.host.clone() };
    format!("{host}:{}{how}", server.port)
}

/// `network add [NAME] SERVER[:PORT] [OPTION…]`.
async fn add(context: &Context<'_>, text: &str) -> Outcome {
    let (bridge, user) = (context.bridge, &context.call.user);
    let (words, options) = options(context, text);
    match (words.as_slice(), is_admin(context)) {
        ([name], is_admin) if !looks_like_host(name) => {
            if let Some(known) = bridge.networks.named(name, user.id) {
                let slug = &known.network.slug;
                let text = RichText::plain(format!("{} is there already: type ", known.network.name));
                return Err(Refusal::Asked(text.code(format!("open {slug}")).text(".")));
            }
            match presets::find(&name.to_ascii_lowercase()) {
                Some(preset) if is_admin => bridge.add_preset(preset.slug).await,
                Some(preset) => Err(Refusal::asked(format!(
                    "{} is not on this bridge. Only its administrator can add that.",
                    preset.name
                ))),
                None => {
                    let text = format!("{name} is no server. Type it like this: ");
                    let example = format!("network add {name} irc.example.org");
                    Err(Refusal::Asked(RichText::plain(text).code(example).text(".")))
                }
            }
        }
        ([host], _) => bridge.add_own_network(user, None, options.server(host)?).await,
        ([name, host], true) => {
            bridge.add_network(&name.to_ascii_lowercase(), options.server(host)?, options.private).await
        }
        ([name, host], false) => bridge.add_own_network(user, Some(name), options.server(host)?).await,
        _ => Err(usage_of(context)),
    }
}

/// Whether a single word is a server and not the name of a network.
fn looks_like_host(word: &str) -> bool {
    word.contains(['.', ':']) || word.eq_ignore_ascii_case("localhost")
}

/// `network remove NETWORK [confirm]`.
async fn remove(context: &Context<'_>, text: &str) -> Outcome {
    let bridge = context.bridge;
    let (name, sure) = first_word(text);
    let is_sure = sure.eq_ignore_ascii_case("confirm");
    if name.is_empty() || !(sure.is_empty() || is_sure) {
        return Err(usage_of(context));
    }
    let known = find(context, name);
    let slug = match &known {
        Some(known) => {
            let slug = known.network.slug.as_str();
            if !bridge.networks.hides(slug) || !is_admin(context) {
                may_change(context, known)?;
            }
            slug.to_owned()
        }
        // One that can't be read is not there, and can be removed.
        None if is_admin(context) => name.to_ascii_lowercase(),
        None => return Err(no_network(context, name)),
    };
    let is_mine = known.as_ref().is_some_and(|known| known.is_own() && known.is_for(context.call.user.id));
    match bridge.remove_network(&slug, is_sure && !is_mine).await? {
        Removal::Nothing => Err(no_network(context, name)),
        Removal::Done if bridge.networks.get(&slug).is_some() => Ok(RichText::plain(format!(
            "What was added here of {slug} is gone. The configuration has it, as before."
        ))),
        Removal::Done => Ok(RichText::plain(format!(
            "{slug} is removed. What was said there is kept; to delete it, type "
        ))
        .code(format!("forget {slug}"))
        .text(".")),
        Removal::Open(_) if is_mine => {
            let text = RichText::plain(format!("You have {slug} open. First type "));
            Err(Refusal::Asked(text.code(format!("close {slug}")).text(".")))
        }
        Removal::Open(users) => {
            let more = match users.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let have = if users.len() == 1 { "has" } else { "have" };
            let named = users.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let text = format!(
                "{named}{more} {have} {slug} open. They are disconnected and told; their rooms and what was said there \
                 stay, and go on when it is added again."
            );
            Ok(context.ask(
                RichText::plain(text),
                format!("removing {slug}"),
                format!("network remove {slug} confirm"),
            ))
        }
    }
}

/// `network server add|remove NETWORK SERVER[:PORT] [OPTION…]`.
async fn server(context: &Context<'_>, text: &str) -> Outcome {
    let (what, rest) = first_word(text);
    let (name, rest) = first_word(rest);
    let (words, options) = options(context, rest);
    let [host] = words.as_slice() else { return Err(usage_of(context)) };
    let known = find(context, name).ok_or_else(|| no_network(context, name))?;
    may_change(context, &known)?;
    match what.to_ascii_lowercase().as_str() {
        "add" => context.bridge.add_server(&known, options.server(host)?, options.private).await,
        "remove" => {
            let (host, port) = host_and_port(host)?;
            context.bridge.remove_server(&known, host, port).await
        }
        _ => Err(usage_of(context)),
    }
}

/// The network that is meant: administrators may name others' own by their short names.
fn find(context: &Context<'_>, name: &str) -> Option<Arc<Known>> {
    let networks = &context.bridge.networks;
    let of_others = || networks.get(&name.to_ascii_lowercase()).filter(|_| is_admin(context));
    networks.named(name, context.call.user.id).or_else(of_others)
}

/// Whether the person may change a network.
fn may_change(context: &Context<'_>, known: &Known) -> Result<(), Refusal> {
    let slug = &known.network.slug;
    match &known.source {
        Source::Configuration if known.network.preset => Err(Refusal::asked(format!(
            "{slug} is built in: the configuration can say something else of it, or leave the built-in ones out."
        ))),
        Source::Configuration => {
            Err(Refusal::asked(format!("{slug} stands in the configuration, and can only be changed there.")))
        }
        Source::User { id, .. } if *id == context.call.user.id => Ok(()),
        _ if is_admin(context) => Ok(()),
        _ => Err(Refusal::asked(format!("{slug} is for all: only an administrator can change it."))),
    }
}

/// What was said about a server besides its name.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    tls: bool,
    verify: bool,
    private: bool,
    fingerprints: Vec<String>,
}

impl Options {
    fn server(&self, text: &str) -> Result<NewServer, Refusal> {
        let (host, port) = host_and_port(text)?;
        Ok(NewServer {
            host: host.to_owned(),
            port: port.unwrap_or(if self.tls { 6697 } else { 6667 }),
            tls: self.tls,
            verify: self.verify,
            fingerprints: self.fingerprints.clone(),
        })
    }
}

/// The words, and the options among them.
fn options<'a>(context: &Context<'_>, text: &'a str) -> (Vec<&'a str>, Options) {
    let mut options = Options { tls: true, verify: true, private: false, fingerprints: Vec::new() };
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        match word.to_ascii_lowercase().as_str() {
            "notls" => options.tls = false,
            "noverify" => options.verify = false,
            "private" if is_admin(context) => options.private = true,
            other => match other.strip_prefix("fingerprint=") {
                Some(fingerprint) => options.fingerprints.push(fingerprint.to_owned()),
                None => words.push(word),
            },
        }
    }
    (words, options)
}

/// `irc.example.org`, `irc.example.org:6697`, `192.0.2.7`, `2001:db8::1`, `[2001:db8::1]:6697`.
fn host_and_port(text: &str) -> Result<(&str, Option<u16>), Refusal> {
    let wrong = || {
        let text = format!("{text} is no server: it is a host and perhaps a port, as in ");
        Refusal::Asked(RichText::plain(text).code("irc.example.org:6697").text("."))
    };
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong);
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
        return match rest.strip_prefix(':') {
            Some(rest) => Ok((host, Some(port(rest)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(wrong()),
        };
    }
    match text.split_once(':') {
        None if text.is_empty() => Err(wrong()),
        None => Ok((text, None)),
        Some((_, rest)) if rest.contains(':') => {
            text.parse::<std::net::Ipv6Addr>().map(|_| (text, None)).map_err(|_| wrong())
        }
        Some((host, rest)) => Ok((host, Some(port(rest)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::name("irc.example.org", Some(("irc.example.org", None)))]
    #[case::with_port("irc.example.org:6667", Some(("irc.example.org", Some(6667))))]
    #[case::v6("2001:db8::1", Some(("2001:db8::1", None)))]
    #[case::v6_in_brackets("[2001:db8::1]", Some(("2001:db8::1", None)))]
    #[case::v6_with_port("[2001:db8::1]:7000", Some(("2001:db8::1", Some(7000))))]
    #[case::no_port("irc.example.org:", None)]
    #[case::zero("irc.example.org:0", None)]
    #[case::too_large("irc.example.org:65536", None)]
    #[case::url("irc://irc.example.org:6667", None)]
    #[case::open("[2001:db8::1", None)]
    #[case::name_in_brackets("[irc.example.org]:1", None)]
    fn a_server_is_a_host_and_perhaps_a_port(#[case] text: &str, #[case] read: Option<(&str, Option<u16>)>) {
        assert_eq!(host_and_port(text).ok(), read);
    }
}
