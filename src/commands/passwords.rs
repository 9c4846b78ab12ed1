//! Which commands hold a password: the message in which one was typed is taken out of its room (invariant 10).

use super::conversation::is_further_channel;
use super::table::Command;
use super::{channel, on_join};
use crate::format::{may_hold_password, may_hold_password_for_service};

/// Whether a command that may hold a password does, as far as its words tell.
pub(super) fn holds_secret(command: &Command, rest: &str) -> bool {
    let words: Vec<&str> = rest.split_whitespace().take(4).collect();
    match words[..] {
        // A session that is spelled out is one word by its short name. Of `join` each word more counts.
        [network, between, _, ref more @ ..] if between.eq_ignore_ascii_case("as") => {
            let short = format!("{network} {}", words_behind(rest, 3));
            let is_sure = command.name == "join" && !more.is_empty();
            is_secret(command, short.trim_end()) || !is_sure && is_secret(command, rest)
        }
        _ => is_secret(command, rest),
    }
}

fn is_secret(command: &Command, rest: &str) -> bool {
    match command.name {
        "sasl" => rest.split_whitespace().count() >= 2,
        "key" => channel::holds_key(rest),
        "mode" => channel::sets_key(rest),
        // Behind the channel's name, if that stands there.
        "onjoin" => (0..3).any(|at| on_join::holds_secret(words_behind(rest, at))),
        // Behind the channel's name stands its key.
        "join" => {
            let mut words = rest.split_whitespace();
            let is_channel =
                words.next().is_some_and(|word| word.starts_with(['#', '&', '+', '!']) || word.contains(','));
            // Before the channel may stand its network.
            words.skip(usize::from(!is_channel)).any(|word| !is_further_channel(word))
        }
        "password" => !rest.is_empty() && !rest.eq_ignore_ascii_case("off"),
        "nickserv" | "chanserv" => may_hold_password_for_service(rest),
        _ => may_hold_password(rest),
    }
}

/// What stands behind so many words.
fn words_behind(text: &str, count: usize) -> &str {
    (0..count)
        .fold(text, |rest, _| rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::find;
    use rstest::rstest;

    #[rstest]
    #[case::sasl("sasl", "account password", true)]
    #[case::sasl_of_a_network("sasl", "libera account password", true)]
    #[case::sasl_off("sasl", "off", false)]
    #[case::key("key", "#tea sesame", true)]
    #[case::key_alone("key", "sesame", true)]
    #[case::key_asked("key", "#tea", false)]
    #[case::key_off("key", "#tea off", false)]
    #[case::key_by_mode("mode", "#tea +ntk sesame", true)]
    #[case::key_by_mode_alone("mode", "+o-i+k bob sesame", true)]
    #[case::no_key_by_mode("mode", "#tea +o kate", false)]
    #[case::key_taken_away("mode", "#tea -k *", false)]
    #[case::certificate("certfp", "set -----BEGIN PRIVATE KEY-----", true)]
    #[case::certificate_of_a_network("certfp", "libera set -----BEGIN EC PRIVATE KEY-----", true)]
    #[case::certificate_shown("certfp", "show", false)]
    #[case::nickserv("msg", "NickServ IDENTIFY hunter2", true)]
    #[case::nickserv_in_short("msg", "NickServ id hunter2", true)]
    #[case::nickserv_asked("msg", "NickServ info alice", false)]
    #[case::nickserv_by_query("query", "NickServ identify hunter2", true)]
    #[case::talk("msg", "bob hello there", false)]
    #[case::server_password("password", "hunter2", true)]
    #[case::server_password_off("password", "OFF", false)]
    #[case::server_password_shown("password", "", false)]
    #[case::nickserv_by_command("nickserv", "confirm hunter2", true)]
    #[case::nickserv_by_command_asked("ns", "info alice", false)]
    #[case::chanserv_by_command("cs", "identify #rust hunter2", true)]
    #[case::chanserv_by_command_asked("chanserv", "op #rust bob", false)]
    #[case::raw_pass("raw", "PASS :hunter2", true)]
    #[case::raw_nickserv("raw", "NS ID hunter2", true)]
    #[case::raw_whois("raw", "WHOIS bob", false)]
    #[case::raw_key("raw", "libera MODE #tea +k sesame", true)]
    #[case::join_with_a_key("join", "#tea sesame", true)]
    #[case::join_with_a_key_on_a_network("join", "libera tea sesame", true)]
    #[case::join("join", "#tea", false)]
    #[case::join_several("join", "#tea,#cake", false)]
    #[case::join_several_with_spaces("join", "#tea #cake", false)]
    #[case::join_several_with_a_key("join", "#tea #cake sesame", true)]
    #[case::join_several_without_their_marks("join", "tea,cake sesame,open", true)]
    #[case::join_several_on_a_network("join", "libera #tea #cake", false)]
    #[case::join_several_of_a_session("join", "libera as work #tea #cake", false)]
    #[case::join_on_a_network("join", "libera #tea", false)]
    #[case::join_of_a_session("join", "libera as work #tea", false)]
    #[case::join_of_a_session_with_a_key("join", "libera as work #tea sesame", true)]
    #[case::sasl_of_a_session("sasl", "libera as work account password", true)]
    #[case::key_of_a_session("key", "libera as work #tea sesame", true)]
    #[case::key_by_mode_of_a_session("mode", "libera as work #tea +k sesame", true)]
    #[case::service_of_a_session("msg", "libera as work NickServ identify hunter2", true)]
    #[case::on_joining_of_a_session("onjoin", "libera as work #tea mode +k sesame", true)]
    #[case::key_on_joining("onjoin", "mode +k sesame", true)]
    #[case::key_on_joining_a_channel("onjoin", "#tea mode +k sesame", true)]
    #[case::key_on_joining_a_networks_channel("onjoin", "libera #tea mode +k sesame", true)]
    #[case::service_on_joining("onjoin", "#tea nickserv confirm hunter2", true)]
    #[case::other_mode_on_joining("onjoin", "#tea mode +s", false)]
    #[case::nothing_on_joining("onjoin", "#tea off", false)]
    fn invariant_10_a_message_with_a_password_is_known_as_one(
        #[case] name: &str,
        #[case] rest: &str,
        #[case] secret: bool,
    ) {
        let command = find(name).unwrap();
        assert_eq!(command.secret && holds_secret(command, rest), secret);
    }
}
