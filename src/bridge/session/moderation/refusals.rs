//! What the server refuses in a channel, in its words and with what to do about it.

use crate::format::{RichText, strip_irc};
use crate::irc::numerics::{
    ERR_BANLISTFULL, ERR_CHANOPEN, ERR_CHANOPRIVSNEEDED, ERR_INVALIDMODEPARAM, ERR_KEYSET, ERR_KNOCKDISABLED,
    ERR_KNOCKONCHAN, ERR_NEEDMOREPARAMS, ERR_NEEDREGGEDNICK, ERR_NOPRIVILEGES, ERR_NOSUCHCHANNEL,
    ERR_NOSUCHNICK, ERR_NOTONCHANNEL, ERR_THROTTLE, ERR_TOOMANYKNOCK, ERR_UNIQOPPRIVSNEEDED,
    ERR_UNKNOWNCOMMAND, ERR_UNKNOWNMODE, ERR_USERNOTINCHANNEL, ERR_USERONCHANNEL, RPL_TRYAGAIN,
};
use crate::irc::session::{Answer, InquiryReply};
use crate::names::{CaseMapping, Channel};

/// So many refusals are told in one answer.
const MOST: usize = 5;

/// Whether a reply says that something was not done.
pub(super) fn is_refusal(reply: &InquiryReply) -> bool {
    let known = [ERR_INVALIDMODEPARAM, ERR_TOOMANYKNOCK, ERR_CHANOPEN, ERR_KNOCKONCHAN, ERR_KNOCKDISABLED];
    // 697 and 698: what is set is set already, or is not. 972 and 974: InspIRCd's own for what ranks forbid.
    matches!(reply.code, 0 | RPL_TRYAGAIN | 400..600 | 697 | 698 | 972 | 974) || known.contains(&reply.code)
}

/// The refusals among the answers.
pub(super) fn refusals(answers: &[Answer]) -> Vec<&InquiryReply> {
    let mut refusals: Vec<&InquiryReply> = Vec::new();
    for reply in answers.iter().flat_map(|answer| &answer.replies).filter(|reply| is_refusal(reply)) {
        if !refusals.contains(&reply) {
            refusals.push(reply);
        }
    }
    refusals
}

/// Whether a refusal is about this name.
pub(super) fn is_about(reply: &InquiryReply, name: &str, mapping: CaseMapping) -> bool {
    reply.params.split_last().is_some_and(|(_, subjects)| subjects.iter().any(|one| mapping.same(one, name)))
}

/// Refusals in words, one on each line.
pub(super) fn in_words(network: &str, channel: &Channel, refusals: &[&InquiryReply]) -> RichText {
    let lines = refusals.iter().take(MOST).fold(RichText::new(), |text, reply| {
        let said = reply.params.last().map(|said| strip_irc(said)).unwrap_or_default();
        let said = said.trim_end_matches(['.', ' ']);
        let text = text.line().text(format!("{network} says: {said}."));
        match remedy(channel, reply) {
            remedy if remedy.is_empty() => text,
            remedy => text.text(" ").then(remedy),
        }
    });
    match refusals.len().saturating_sub(MOST) {
        0 => lines,
        more => lines.line().text(format!("And {more} refusals more.")),
    }
}

/// What a refusal means here, and what to do.
fn remedy(channel: &Channel, reply: &InquiryReply) -> RichText {
    let subject = match &reply.params[..] {
        [subject, _, ..] => strip_irc(subject),
        _ => String::new(),
    };
    let plain = |text: String| RichText::plain(text);
    match reply.code {
        ERR_CHANOPRIVSNEEDED | ERR_NOPRIVILEGES | 972 => plain(format!(
            "Ask an operator of {channel}, or if it is yours with the network's services, type "
        ))
        .code(format!("msg ChanServ OP {channel}"))
        .text("."),
        ERR_UNIQOPPRIVSNEEDED | 974 => plain("Somebody protects them, or they rank above you.".to_owned()),
        ERR_NOSUCHNICK => plain(format!("Nobody on the network is called {subject} now.")),
        ERR_NOSUCHCHANNEL => plain("There is no such channel.".to_owned()),
        ERR_USERNOTINCHANNEL => plain(format!("{subject} is not in {channel}; see ")).code("names").text("."),
        ERR_NOTONCHANNEL => plain("To enter it, type ".to_owned()).code(format!("join {channel}")).text("."),
        ERR_USERONCHANNEL => plain(format!("{subject} is there already.")),
        ERR_UNKNOWNMODE => plain(format!("The network's channels have no mode {subject}.")),
        // RFC 2812 has it for channels without modes.
        ERR_NEEDREGGEDNICK if channel.as_str().starts_with('+') => {
            plain(format!("{channel} is of a kind that has no modes."))
        }
        ERR_NEEDREGGEDNICK => {
            plain("It is for people who are logged in: see ".to_owned()).code("sasl").text(".")
        }
        ERR_KEYSET => {
            plain("It has a key: take that away first, with ".to_owned()).code("mode -k KEY").text(".")
        }
        ERR_BANLISTFULL => {
            plain("The list is full: take away what is not needed any more. To see it, type ".to_owned())
                .code("bans")
                .text(".")
        }
        ERR_INVALIDMODEPARAM => plain("What stands behind the mode is nothing that it takes.".to_owned()),
        ERR_NEEDMOREPARAMS => plain("A mode of these needs a word behind it.".to_owned()),
        ERR_UNKNOWNCOMMAND => plain("The network does not have this.".to_owned()),
        ERR_CHANOPEN => {
            plain("Anybody may enter: type ".to_owned()).code(format!("join {channel}")).text(".")
        }
        ERR_KNOCKONCHAN => plain("You are in it.".to_owned()),
        ERR_TOOMANYKNOCK | ERR_THROTTLE | RPL_TRYAGAIN => plain("Try again in some minutes.".to_owned()),
        ERR_KNOCKDISABLED => plain("Ask one of its people for an invitation.".to_owned()),
        _ => RichText::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn reply(line: &str) -> InquiryReply {
        let (code, rest) = line.split_once(' ').unwrap();
        let (middle, text) = rest.split_once(" :").unwrap_or(("", rest.trim_start_matches(':')));
        let params = middle.split_whitespace().chain([text]).map(str::to_owned).collect();
        InquiryReply { code: code.parse().unwrap(), params, text: rest.to_owned() }
    }

    #[rstest]
    #[case::no_operator("482 #c :You're not channel operator", "Ask an operator of #c")]
    #[case::protected("974 #c o :You can't deop a higher rank", "rank above you")]
    #[case::nobody("401 bob :No such nick/channel", "Nobody on the network is called bob now.")]
    #[case::not_there("441 bob #c :They aren't on that channel", "bob is not in #c; see names.")]
    #[case::we_are_not_there("442 #c :You're not on that channel", "To enter it, type join #c.")]
    #[case::there_already("443 bob #c :is already on channel", "bob is there already.")]
    #[case::unknown_mode("472 X :is unknown mode char to me", "have no mode X.")]
    #[case::login("477 #c :You need to be identified", "see sasl.")]
    #[case::key("467 #c :Channel key already set", "mode -k KEY")]
    #[case::full_list("478 #c b :Channel list is full", "type bans.")]
    #[case::bad_value("696 #c l x :Invalid limit", "nothing that it takes")]
    #[case::too_little("461 MODE :Not enough parameters", "needs a word behind it")]
    #[case::unknown_command("421 KNOCK :Unknown command", "does not have this")]
    #[case::open("713 #c :Channel is open.", "type join #c.")]
    #[case::knocks("712 #c :Too many KNOCKs", "some minutes")]
    #[case::anything("499 #c :You're not a channel owner", "Net says: You're not a channel owner.")]
    fn a_refusal_is_told_with_its_remedy(#[case] line: &str, #[case] part: &str) {
        let reply = reply(line);
        assert!(is_refusal(&reply));
        let text = in_words("Net", &Channel::new("#c").unwrap(), &[&reply]).to_plain();
        assert!(text.starts_with("Net says: ") && text.contains(part), "{text}");
    }

    #[test]
    fn the_same_refusal_is_told_once_and_many_are_counted() {
        let replies = (0..9).map(|number| reply(&format!("401 n{number} :No such nick")));
        let mut answer = Answer { replies: replies.collect(), ..Answer::default() };
        answer.replies.push(reply("401 n0 :No such nick"));
        let answers = [answer];
        let refusals = refusals(&answers);
        assert_eq!(refusals.len(), 9);
        let text = in_words("Net", &Channel::new("#c").unwrap(), &refusals).to_plain();
        assert!(text.ends_with("And 4 refusals more."), "{text}");
    }
}
