//! The network's list of channels, page by page.
//!
//! A list is asked for once and kept for a while, so that the next page costs the network nothing.
//!
//! Invariant 9: one list is kept, of [`MOST_KEPT`] channels, for [`KEPT`].

use std::time::{Duration, Instant};

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::inquiries::{Use, trouble};
use super::loose::Reply;
use super::requests::not_connected;
use super::wording;
use crate::format::{RichText, Table, read_irc};
use crate::irc::session::{Answer, ChannelList, MOST_KEPT, State, Wanted};

/// For so long a list is as good as new.
const KEPT: Duration = Duration::from_mins(10);
/// Channels of a page.
const PAGE: usize = 20;

/// What is asked of the list.
#[derive(Debug)]
pub enum ListRequest {
    /// A page, from 1 on, of what fits this: words, a mask, or nothing for everything.
    Page {
        /// What is looked for.
        wanted: String,
        /// Which page.
        page: usize,
    },
    /// The page behind the last one.
    More,
}

/// The list that is kept.
pub(super) struct Listed {
    wanted: String,
    list: ChannelList,
    at: Instant,
    /// The page that was shown last.
    page: usize,
}

/// A page that leads any client to the room of an alias.
fn room_address(alias: &str) -> String {
    format!("https://matrix.to/#/{}", alias.replace('#', "%23"))
}

impl Actor {
    pub(super) fn list(&mut self, request: ListRequest) -> Reply {
        self.forget_list();
        let (wanted, page) = match request {
            ListRequest::Page { wanted, page } => (wanted, page),
            ListRequest::More => match &self.questions.listed {
                Some(listed) => (listed.wanted.clone(), listed.page + 1),
                None => {
                    let text = RichText::plain("There is no list that could go on. For one, type ");
                    return Reply::Now(Err(Refusal::Asked(text.code("list").text("."))));
                }
            },
        };
        if self.questions.listed.as_ref().is_some_and(|listed| listed.wanted == wanted) {
            return Reply::Now(self.list_page(page));
        }
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return Reply::Now(Err(not_connected(&self.network.name)));
        };
        match link.session.list_channels(Wanted::typed(&wanted)) {
            Ok(Some(number)) => Reply::Asked(number, Use::List { wanted, page }),
            Ok(None) => Reply::Now(Err(Refusal::asked("A list is coming already: wait for it."))),
            Err(error) => Reply::Now(Err(Refusal::asked(format!("It was not sent: {error}.")))),
        }
    }

    /// The list has come, or the server says why not.
    pub(super) fn on_listed(&mut self, number: u64, list: ChannelList, refusal: Option<&Answer>) {
        let Some((Use::List { wanted, page }, asker)) = self.take_inquiry(number) else { return };
        let refusal = refusal.and_then(|answer| trouble(&self.network.name, answer));
        let outcome = match refusal {
            Some(refusal) if list.channels.is_empty() => Err(refusal),
            _ => {
                let at = self.now();
                self.questions.listed = Some(Listed { wanted, list, at, page });
                self.list_page(page)
            }
        };
        if let Some(outcome) = self.settle_request(Reply::Now(outcome), asker) {
            self.say(outcome.unwrap_or_else(Refusal::into_text));
        }
    }

    fn list_page(&mut self, page: usize) -> Outcome {
        let now = self.now();
        let Some(listed) = &mut self.questions.listed else {
            return Err(Refusal::asked("There is no list."));
        };
        let list = &listed.list;
        let pages = list.channels.len().div_ceil(PAGE);
        if pages == 0 {
            let fits = match listed.wanted.as_str() {
                "" => String::new(),
                wanted => format!(" that fits {wanted}"),
            };
            return Err(Refusal::asked(format!("{} lists no channel{fits}.", self.network.name)));
        }
        let first = page.saturating_sub(1).saturating_mul(PAGE);
        if page == 0 || first >= list.channels.len() {
            return Err(Refusal::asked(match pages {
                1 => "There is one page, and no more.".to_owned(),
                pages => format!("There are {pages} pages."),
            }));
        }
        listed.page = page;
        let shown = &list.channels[first..list.channels.len().min(first + PAGE)];
        let mut alias = None;
        let table = shown.iter().fold(Table::new(["channel", "people", "topic"]), |table, channel| {
            let people = RichText::plain(channel.people.to_string());
            let name = &*channel.name.0;
            let named = match self.bridge.findable_alias(&self.row.network, name) {
                Some(found) => {
                    let named = RichText::new().leading_to(name, room_address(&found));
                    alias.get_or_insert(found);
                    named
                }
                None => RichText::new().bold(name),
            };
            table.row([named, people, read_irc(&channel.topic)])
        });
        let last = first + shown.len();
        let mut foot = format!("{}–{last} of {}, the largest first", first + 1, list.fitting);
        let age = now.saturating_duration_since(listed.at);
        if age >= Duration::from_mins(1) {
            foot += &format!(", as of {} ago", wording::duration(age));
        }
        if list.broke_off {
            foot += ", and the server broke off";
        }
        let mut text = RichText::new().table(table).text(format!("{foot}."));
        if let Some(alias) = alias {
            text = text.text(" Each name leads to the channel's shared room, as ").code(alias).text(" does.");
        }
        if last < list.channels.len() {
            text = text.text(" For the next ones, type ").code("list more").text(".");
        } else if list.fitting > list.channels.len() {
            let more = format!(" Of so many I keep {MOST_KEPT}: for others, say what you look for.");
            text = text.text(more);
        }
        Ok(text)
    }

    /// When the list is too old.
    pub(super) fn list_ends_at(&self) -> Option<Instant> {
        self.questions.listed.as_ref().map(|listed| listed.at + KEPT)
    }

    /// Forgets a list that is too old.
    pub(super) fn forget_list(&mut self) {
        let now = self.now();
        self.questions.listed.take_if(|listed| listed.at + KEPT <= now);
    }
}
