//! Numerics: which of them change the session, and what is passed on.
//!
//! A numeric that nothing here consumes becomes [`Event::Numeric`], so that nothing the server says is lost. A
//! malformed one is never an error: what it lacks reads as empty.
//!
//! Spec: modern IRC docs "Numerics".

use std::time::Instant;

use crate::irc::numerics::{
    ERR_BADCHANMASK, ERR_BADCHANNAME, ERR_BADCHANNELKEY, ERR_BADMASK, ERR_BADPING, ERR_BANNEDFROMCHAN,
    ERR_BANNICKCHANGE, ERR_CANNOTSENDTOCHAN, ERR_CANNOTSENDTOUSER, ERR_CANTSENDTOUSER, ERR_CHANNELISFULL,
    ERR_CHANOPRIVSNEEDED, ERR_DELAYREJOIN, ERR_ERRONEUSNICKNAME, ERR_INPUTTOOLONG, ERR_INVALIDUSERNAME,
    ERR_INVITEONLYCHAN, ERR_LINKCHANNEL, ERR_MONLISTFULL, ERR_NEEDMOREPARAMS, ERR_NEEDREGGEDNICK,
    ERR_NICKCOLLISION, ERR_NICKNAMEINUSE, ERR_NICKTOOFAST, ERR_NOCOLORSONCHAN, ERR_NOCTCPSALLOWED,
    ERR_NOMOTD, ERR_NONICKCHANGE, ERR_NONONREG, ERR_NOPERMFORHOST, ERR_NORECIPIENT, ERR_NOSUCHCHANNEL,
    ERR_NOSUCHNICK, ERR_NOSUCHSERVER, ERR_NOTEXTTOSEND, ERR_NOTONCHANNEL, ERR_NOTOPLEVEL, ERR_OPERONLY,
    ERR_PASSWDMISMATCH, ERR_SECUREONLYCHAN, ERR_TARGCHANGE, ERR_TARGETTOOFAST, ERR_TARGUMODEG, ERR_THROTTLE,
    ERR_TOOMANYCHANNELS, ERR_TOOMANYTARGETS, ERR_UNAVAILRESOURCE, ERR_UNKNOWNCOMMAND, ERR_USERNOTINCHANNEL,
    ERR_USERONCHANNEL, ERR_WASNOSUCHNICK, ERR_WILDTOPLEVEL, ERR_YOUREBANNEDCREEP, ERR_YOUWILLBEBANNED,
    RPL_CHANNELMODEIS, RPL_ENDOFMOTD, RPL_ENDOFNAMES, RPL_HOSTHIDDEN, RPL_ISON, RPL_ISUPPORT, RPL_LOGGEDIN,
    RPL_MONOFFLINE, RPL_MONONLINE, RPL_NAMREPLY, RPL_NOTOPIC, RPL_SASLMECHS, RPL_TOPIC, RPL_TOPICWHOTIME,
    RPL_TRYAGAIN, RPL_WELCOME,
};
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message, Source};

use super::batches::Context;
use super::event::{Event, Verdict};
use super::fences::Refusal;
use super::inquiries::InquiryReply;
use super::labels::Label;
use super::{Expelled, Session, State};

/// Whether a labelled numeric says that the line did not work.
pub(super) fn is_error(code: u16) -> bool {
    (400..600).contains(&code) || about_a_message(code).is_some()
}

/// How an error may be about a message that we sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// Its first parameter is the target.
    Target,
    /// It names none.
    Any,
}

/// Errors that `PRIVMSG` and `NOTICE` get.
fn about_a_message(code: u16) -> Option<About> {
    match code {
        ERR_NOSUCHNICK | ERR_NOSUCHSERVER | ERR_NOSUCHCHANNEL | ERR_CANNOTSENDTOCHAN | ERR_WASNOSUCHNICK
        | ERR_TOOMANYTARGETS | ERR_NOCOLORSONCHAN | ERR_TARGETTOOFAST | ERR_NOTONCHANNEL
        | ERR_NEEDREGGEDNICK | ERR_NONONREG | ERR_SECUREONLYCHAN | ERR_NOCTCPSALLOWED
        | ERR_CANNOTSENDTOUSER | ERR_CANTSENDTOUSER | ERR_TARGUMODEG | ERR_TARGCHANGE => Some(About::Target),
        ERR_NORECIPIENT | ERR_NOTEXTTOSEND | ERR_NOTOPLEVEL | ERR_WILDTOPLEVEL | ERR_BADMASK
        | ERR_INPUTTOOLONG => Some(About::Any),
        _ => None,
    }
}

/// Whether an error that we do not know may be the answer to a `JOIN`: servers have their own for what they forbid, 448
/// on `UnrealIRCd` and 926 on `InspIRCd`. Not the ones that other commands get about a channel that we are not in.
fn is_unknown_refusal(code: u16) -> bool {
    let about_others = [
        ERR_CANNOTSENDTOCHAN,
        ERR_USERNOTINCHANNEL,
        ERR_NOTONCHANNEL,
        ERR_USERONCHANNEL,
        ERR_CHANOPRIVSNEEDED,
    ];
    ((400..600).contains(&code) || [384, 926].contains(&code)) && !about_others.contains(&code)
}

impl Session {
    pub(super) fn on_numeric(
        &mut self,
        code: u16,
        message: &Message,
        context: Context,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let params = message.params.get(1..).unwrap_or_default();
        if self.is_about_what_we_sent(code, params, context, now, events)
            || self.on_list(code, params, context.label, now, events)
        {
            return;
        }
        let first = params.first().map_or("", String::as_str);
        let reason = params.last().map_or("", String::as_str);
        let consumed = match code {
            RPL_WELCOME => {
                self.on_welcome(message, now, events);
                true
            }
            RPL_ISUPPORT => {
                // 010, with the same number on old servers, has other words; so does a 005 with nothing in it.
                self.on_isupport(params, events);
                true
            }
            RPL_ENDOFMOTD | ERR_NOMOTD if self.state == State::Registering => {
                self.become_ready(now, events);
                true
            }
            RPL_NAMREPLY => self.on_names(params),
            RPL_ENDOFNAMES => self.on_names_end(params, events),
            RPL_TOPIC | RPL_NOTOPIC if self.channels.contains(first) => {
                let topic = if code == RPL_TOPIC { reason } else { "" };
                self.channels.set_topic(first, topic);
                events.push(Event::Topic { channel: first.to_owned(), topic: topic.to_owned(), by: None });
                true
            }
            RPL_TOPICWHOTIME => self.on_topic_origin(params),
            RPL_CHANNELMODEIS => {
                self.on_channel_modes(params, events);
                false
            }
            RPL_HOSTHIDDEN => {
                self.on_host_changed(first);
                false
            }
            RPL_LOGGEDIN..=RPL_SASLMECHS => self.on_login_numeric(code, params, now, events),
            ERR_UNAVAILRESOURCE if self.isupport.is_channel(first) => {
                self.refuses_join(code, params, now, events)
            }
            ERR_ERRONEUSNICKNAME | ERR_NICKNAMEINUSE | ERR_BANNICKCHANGE | ERR_NICKCOLLISION
            | ERR_UNAVAILRESOURCE | ERR_NICKTOOFAST | ERR_NONICKCHANGE => {
                self.on_nick_refused(code, params, now, events);
                true
            }
            ERR_YOUREBANNEDCREEP => {
                self.on_banned(reason, now);
                true
            }
            // On the network, 466 is a warning that may come to nothing: it is told, and the connection stands.
            ERR_YOUWILLBEBANNED | ERR_NOPERMFORHOST if self.registered_at.is_none() => {
                self.on_banned(reason, now);
                true
            }
            // Later, 464 is about `OPER`, say, which ends nothing.
            ERR_PASSWDMISMATCH | ERR_INVALIDUSERNAME if self.registered_at.is_none() => {
                self.disconnect(reason, Verdict::NeedUser, events);
                true
            }
            RPL_ISON if self.asks_with("ISON", context.label) => false,
            RPL_ISON => self.on_ison(reason, now),
            RPL_MONONLINE | RPL_MONOFFLINE | ERR_MONLISTFULL => {
                let is_watched = self.on_watched(code, params, events);
                self.on_monitor(code, params, now) || is_watched
            }
            _ if self.tells_by_watch(code) => self.on_watch(code, first, events),
            ERR_NOSUCHNICK => self.lacks_services(first, now),
            ERR_UNKNOWNCOMMAND if self.lacks_command(first, now) => true,
            ERR_UNKNOWNCOMMAND | ERR_NEEDMOREPARAMS if first.eq_ignore_ascii_case("CHATHISTORY") => {
                self.refuse_request(&[], reason, events)
            }
            ERR_BADPING => {
                // `513 nick :To connect, type /QUOTE PONG 123456`
                if let Some(cookie) = reason.split(' ').next_back() {
                    self.control(Line::pong(cookie));
                }
                true
            }
            _ if self.is_about_inquiry(code, first, context.label) => false,
            ERR_LINKCHANNEL | ERR_TOOMANYCHANNELS | ERR_CHANNELISFULL | ERR_INVITEONLYCHAN
            | ERR_BANNEDFROMCHAN | ERR_BADCHANNELKEY => self.on_join_failed(code, params, now, events),
            RPL_TRYAGAIN => self.on_try_again(first, now),
            ERR_NOSUCHCHANNEL | ERR_TARGETTOOFAST | ERR_BADCHANMASK | ERR_NEEDREGGEDNICK
            | ERR_BADCHANNAME | ERR_THROTTLE | ERR_SECUREONLYCHAN | ERR_OPERONLY | ERR_DELAYREJOIN
            | ERR_TOOMANYTARGETS => self.refuses_join(code, params, now, events),
            _ if is_unknown_refusal(code) && self.wishes.is_asked(first) => {
                self.refuses_join(code, params, now, events)
            }
            _ => false,
        };
        events.extend(self.tell_numeric(code, params, context.label, consumed, now));
    }

    /// A numeric goes to whoever has asked; and where nothing has used it, it is told.
    fn tell_numeric(
        &mut self,
        code: u16,
        params: &[String],
        label: Option<Label>,
        consumed: bool,
        now: Instant,
    ) -> Option<Event> {
        if self.ended || consumed && !matches!(label, Some(Label::Inquiry(_))) {
            return None;
        }
        let text = match code {
            RPL_CHANNELMODEIS => self.modes_without_key(params),
            _ => readable(params),
        };
        let reply = InquiryReply { code, params: params.to_vec(), text };
        let InquiryReply { code, params, text } = self.answers_inquiry(label, reply, now).err()?;
        (!consumed).then_some(Event::Numeric { code, params, text })
    }

    /// An answer to something that we wait for an answer to: a fence, NickServ's login, a message.
    fn is_about_what_we_sent(
        &mut self,
        code: u16,
        params: &[String],
        context: Context,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let first = params.first().map_or("", String::as_str);
        let reason = params.last().map_or("", String::as_str);
        // 366, or an error as there is no such channel: the network's answer to a fence behind ZNC.
        if let Some(token) = first.strip_prefix('#').filter(|_| self.greeted_by_znc)
            && self.pass_fence(token, now, events)
        {
            return true;
        }
        if self.on_nickserv_numeric(code, params, now, events) {
            return true;
        }
        if code == ERR_NOTONCHANNEL {
            self.on_drift(first, now, events);
        }
        // A label says what an error is about: of anything else, nothing can be said from its target.
        context.label.is_none()
            && (self.put_off((code, first, reason), None, now, events)
                || self.refuses_message(code, first, reason, now, events)
                || about_a_message(code) == Some(About::Target) && self.refuses_typing(first, now))
    }

    /// An error about a message that is not confirmed is the answer to that message and to nothing else.
    fn refuses_message(
        &mut self,
        code: u16,
        target: &str,
        reason: &str,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let refusal = match about_a_message(code) {
            Some(About::Target) => {
                let mapping = self.isupport.casemapping();
                let refusal = self.fences.refuse(target, mapping, now);
                if refusal == Refusal::Unrelated {
                    self.fences.doubt(target, mapping, code, reason);
                }
                refusal
            }
            Some(About::Any) => self.fences.refuse_any(now),
            None => return false,
        };
        Self::report(refusal, code, reason, events)
    }

    /// 442: we are not in a channel where we thought to be. Whatever was missed, it is put right.
    fn on_drift(&mut self, channel: &str, now: Instant, events: &mut Vec<Event>) {
        let Some(name) = self.channels.get(channel).map(|state| state.name().to_owned()) else {
            return;
        };
        self.channels.leave(&name);
        match self.wishes.get(&name).map(|wish| wish.channel.clone()) {
            Some(wanted) => self.enter(vec![wanted], Class::Join, now),
            None => {
                let who = Source { nick: self.nicks.current().to_owned(), user: None, host: None };
                events.push(Event::Parted { channel: name, who, reason: String::new(), own: true });
            }
        }
    }

    /// Errors that other commands get too are about JOIN only for a channel that we want and are not in.
    fn refuses_join(&mut self, code: u16, params: &[String], now: Instant, events: &mut Vec<Event>) -> bool {
        let channel = params.first().map_or("", String::as_str);
        // A `+` channel has no modes, and RFC 2812 says so with the number by which others ask for a login.
        let is_about_modes = code == ERR_NEEDREGGEDNICK && channel.starts_with('+');
        let is_asked_for = self.wishes.get(channel).is_some() || self.wishes.is_leaving(channel);
        let about_join = is_asked_for && !is_about_modes;
        about_join && self.on_join_failed(code, params, now, events)
    }

    fn on_isupport(&mut self, params: &[String], events: &mut Vec<Event>) {
        // The last parameter is a remark.
        let tokens = &params[..params.len().saturating_sub(1)];
        let was_utf8_only = self.isupport.is_utf8_only();
        self.isupport.apply(tokens.iter().map(String::as_str));
        self.channels.apply_isupport(&self.isupport);
        self.queue.pace().set_safe(self.isupport.has_safe_rate());
        // Before the greeting is over there may be more of this.
        if self.state == State::Ready && self.follow_casemapping() {
            events.push(Event::CasemappingChanged);
        }
        if was_utf8_only != self.isupport.is_utf8_only() && self.state == State::Ready {
            events.push(Event::Utf8OnlyChanged);
        }
    }

    /// Compares the names of the wanted channels as the server does; `true` where it was done otherwise.
    pub(super) fn follow_casemapping(&mut self) -> bool {
        let mapping = self.isupport.casemapping();
        let is_news = mapping != self.wishes.mapping();
        if is_news {
            self.wishes.set_mapping(mapping);
        }
        is_news
    }

    /// 333 <channel> <who> <when>. Returns whether it is about a channel of ours.
    fn on_topic_origin(&mut self, params: &[String]) -> bool {
        let [channel, by, at, ..] = params else { return false };
        let nick = by.split('!').next().unwrap_or(by);
        self.channels.set_topic_origin(channel, nick, at.parse().unwrap_or_default());
        self.channels.contains(channel)
    }

    /// 396 <nick> <host> :is now your displayed host; some servers put the user in front.
    fn on_host_changed(&mut self, text: &str) {
        let source = Source::parse(text);
        let host = source.host.unwrap_or(source.nick);
        if !host.is_empty() {
            self.identity.1 = Some(host);
        }
    }

    /// 463, 465, 466: a ban. What it is for and how long mostly stands in the `ERROR` that follows.
    fn on_banned(&mut self, reason: &str, now: Instant) {
        // 466 needs no text.
        let reason = if reason.is_empty() { "the server is about to ban us" } else { reason };
        let verdict = super::verdict::classify_ban(reason);
        self.expelled = Some(Expelled { reason: reason.to_owned(), verdict, at: now });
    }
}

/// The parameters as one line: `alice: No such nick/channel`.
fn readable(params: &[String]) -> String {
    match params {
        [subject, text] if !subject.bytes().all(|b| b.is_ascii_digit()) => format!("{subject}: {text}"),
        _ => params.join(" "),
    }
}
