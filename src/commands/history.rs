//! What was said: search, history, forget.
//!
//! Everything here is about the lines of the person who asks: a name means one of their own buffers, and the store
//! gives nobody anybody else's.

mod filters;

use super::{Context, usage, usage_of, which};
use crate::bridge::{MOST_LISTED, Outcome, Place, Refusal};
use crate::format::{RichText, date, history_line, hour};
use crate::store::{Hit, Hits, KeptLine, OwnBuffer, Retention, Search, SearchScope, SessionRow};

pub use filters::since;
use filters::{Filters, Where};

/// Lines that a search shows.
const FOUND: usize = 10;
/// Characters of a line that a search shows.
const EXCERPT: usize = 300;
/// Lines that `history` shows where nobody says how many.
const LINES: i64 = 20;
/// Bytes of one message: its body, and the same with style.
const LONGEST_BODY: usize = 20 * 1024;
const LONGEST_HTML: usize = 30 * 1024;

/// `search [in #CHANNEL] [from NICK] [since 3d] WORDS`.
pub(super) async fn search(context: Context<'_>) -> Outcome {
    let Filters { place, sender, since, words } = filters::read(context.rest, context.bridge.unix_ms())?;
    let (scope, shown) = scope(&context, place.as_ref()).await?;
    let search = Search {
        user: context.call.user.id,
        scope,
        sender: sender.map(str::to_owned),
        since,
        words: words.to_owned(),
        limit: FOUND,
    };
    if search.is_empty() {
        return usage(&context, "search");
    }
    let hits = context.bridge.store.search(&search).await?;
    Ok(show_hits(&context, &search, &shown, &hits))
}

/// Where to look, and how that is called.
async fn scope(context: &Context<'_>, place: Option<&Where<'_>>) -> Result<(SearchScope, String), Refusal> {
    let name = match (place, context.call.place) {
        (Some(Where::Everywhere), _) | (None, Place::Control) => {
            return Ok((SearchScope::All, "everything".to_owned()));
        }
        (None, Place::Network(session)) => {
            return Ok((SearchScope::Session(session), "this network".to_owned()));
        }
        (None, Place::Buffer { buffer, .. }) => {
            return Ok((SearchScope::Buffers(vec![buffer]), "here".to_owned()));
        }
        (Some(Where::Named(name)), _) => *name,
    };
    let buffers = context.buffers_named(name).await?;
    if !buffers.is_empty() {
        let shown = buffers[0].name.clone();
        return Ok((SearchScope::Buffers(buffers.into_iter().map(|buffer| buffer.id).collect()), shown));
    }
    match context.session_named(name)? {
        Some((session, _)) => {
            let shown = context.bridge.network_name(&session.row.address());
            Ok((SearchScope::Session(session.row.id), shown))
        }
        None => {
            let text =
                format!("There is no {name} of yours to search in. If it is one of the words, write: ");
            Err(Refusal::Asked(RichText::plain(text).code(format!("search -- {}", context.rest))))
        }
    }
}

fn show_hits(context: &Context<'_>, search: &Search, shown: &str, hits: &Hits) -> RichText {
    let wanted = match (search.words.trim(), &search.sender) {
        ("", Some(sender)) => format!("lines of {sender}"),
        (words, Some(sender)) => format!("“{words}” by {sender}"),
        (words, None) => format!("“{words}”"),
    };
    let place = if shown == "here" { "here".to_owned() } else { format!("in {shown}") };
    if hits.lines.is_empty() {
        return RichText::plain(format!("Nothing was found for {wanted} {place}."));
    }
    let several = hits.lines.iter().any(|hit| hit.address() != hits.lines[0].address());
    let mut text = RichText::plain(format!("Found {wanted} {place}, newest first (times are UTC):"));
    for hit in &hits.lines {
        text = text.line().then(show_hit(context, hit, several));
    }
    match (hits.more, hits.uncounted) {
        (0, _) => text,
        (more, false) => {
            text.line().text(format!("And {more} more. Add words, in #channel, from nick or since 3d."))
        }
        (more, true) => text
            .line()
            .text(format!("And more than {more} others. Add words, in #channel, from nick or since 3d.")),
    }
}

fn show_hit(context: &Context<'_>, hit: &Hit, with_network: bool) -> RichText {
    let mut text = RichText::new().code(format!("{} {}", date(hit.at), hour(hit.at))).text(" ");
    text = text.text(&hit.buffer_name);
    if with_network {
        text = text.text(format!(" ({})", hit.address()));
    }
    let excerpt = excerpt(&hit.text);
    text = text.text(" ").then(history_line(&hit.kind, &hit.sender, hit.target.as_deref(), &excerpt));
    match (&hit.room_id, &hit.event_id) {
        (Some(room), Some(event)) => {
            let address = permalink(room, event, &context.bridge.config.homeserver.domain);
            text.text(" ").link("show", address)
        }
        _ => text,
    }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Where clients find an event (specification, "matrix.to navigation"). A room's id does not always tell a server.
fn permalink(room: &str, event: &str, server: &str) -> String {
    let encode = |text: &str| {
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~!$:@".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        encoded
    };
    format!("https://matrix.to/#/{}/{}?via={}", encode(room), encode(event), encode(server))
}

/// `history [#CHANNEL | NICK] [LINES]`, and `history keep`.
pub(super) async fn history(context: Context<'_>) -> Outcome {
    if let ("keep", rest) = context.word() {
        return keep(Context { rest, ..context }).await;
    }
    let (buffer, rest) = context.conversation().await?;
    let count = match rest.trim() {
        "" => LINES,
        rest => match rest.parse::<i64>() {
            Ok(count) if count > 0 => count.min(MOST_LISTED),
            _ => return usage(&context, "history"),
        },
    };
    let lines = context.bridge.store.latest_lines(buffer.id, count).await?;
    if lines.is_empty() {
        return Ok(RichText::plain(format!("Nothing is kept of {}.", buffer.name)));
    }
    let shown = fitting(&lines);
    let is_cut = shown.len() < lines.len();
    let heading = if shown.len() == 1 {
        format!("The last line of {} (times are UTC):", buffer.name)
    } else {
        format!("The last {} lines of {} (times are UTC):", shown.len(), buffer.name)
    };
    let mut text = RichText::new().bold(heading);
    let mut day = String::new();
    for (line, shown) in shown {
        let date = date(line.at);
        if date != day {
            text = text.line().bold(&date);
            day = date;
        }
        text = text.line().then(shown);
    }
    if is_cut {
        text = text.line().text("Those before don't fit into one message.");
    }
    Ok(text)
}

/// `history keep [#CHANNEL | NICK] [30d | forever | off]`.
async fn keep(context: Context<'_>) -> Outcome {
    let (buffer, rest) = context.conversation().await?;
    let (bridge, name) = (context.bridge, &buffer.name);
    if rest.trim().is_empty() {
        let wanted = bridge.store.retention(buffer.id).await?;
        return Ok(RichText::plain(match bridge.retention(&buffer.network, wanted) {
            Retention::Forever => format!("What is said in {name} is kept for ever."),
            Retention::Days(days) => format!("What is said in {name} is kept for {days} days."),
            Retention::Off => format!("What is said in {name} is not kept."),
        }));
    }
    let Some(wanted) = Retention::read(rest.trim()) else {
        let text = RichText::plain("Type it like this: ").code("history keep #channel 30d");
        return Err(Refusal::Asked(text.text(", or forever, or off.")));
    };
    bridge.store.set_retention(buffer.id, wanted).await?;
    let kept = bridge.retention(&buffer.network, Some(wanted));
    let gone = bridge.prune_conversation(buffer.id, kept).await?;
    let mut text = match kept {
        Retention::Forever => format!("What is said in {name} is kept for ever from now on."),
        Retention::Days(days) => format!("What is said in {name} is kept for {days} days from now on."),
        Retention::Off => format!("Nothing of what is said in {name} is kept from now on."),
    };
    if kept != wanted {
        text.push_str(" This bridge keeps nothing longer.");
    }
    if gone > 0 {
        text.push_str(&format!(" Deleted: {}.", lines(gone)));
    }
    Ok(RichText::plain(text))
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

/// As many of the newest lines as one message holds, oldest first.
fn fitting(lines: &[KeptLine]) -> Vec<(&KeptLine, RichText)> {
    let (mut body, mut html) = (0, 0);
    let mut shown = Vec::with_capacity(lines.len());
    for line in lines.iter().rev() {
        let said = history_line(&line.kind, &line.sender, line.target.as_deref(), &line.text);
        let text = RichText::new().code(hour(line.at)).text(" ").then(said);
        // With room for the heading of a day.
        body += text.to_plain().len() + 16;
        html += text.to_html().map_or(0, |html| html.len()) + 32;
        if body > LONGEST_BODY || html > LONGEST_HTML {
            break;
        }
        shown.push((line, text));
    }
    shown.reverse();
    shown
}

/// `forget #CHANNEL | NICK | NETWORK | everything [confirm]`.
pub(super) async fn forget(context: Context<'_>) -> Outcome {
    let (words, confirmed) = match context.rest.rsplit_once(char::is_whitespace) {
        Some((words, last)) => match Confirmed::read(last) {
            Some(confirmed) => (words.trim_end(), Some(confirmed)),
            None => (context.rest, None),
        },
        None => match Confirmed::read(context.rest) {
            Some(confirmed) => ("", Some(confirmed)),
            None => (context.rest, None),
        },
    };
    let context = Context { rest: words, ..context };
    let Forgettable { buffers, name, of, mut closed } = forgettable(&context).await?;
    let Some(confirmed) = confirmed else {
        let confirmed = Confirmed::Announced(closed.iter().map(|row| row.id).collect());
        let command = format!("forget {words} {}", confirmed.word());
        let mut text = format!("This deletes all that is kept of {name}, for good");
        match (&of, closed.as_slice()) {
            (_, []) => {}
            (Of::Network, _) => text.push_str(", and what you have set there, since you have closed it"),
            (_, closed) => {
                let addresses: Vec<String> = closed.iter().map(SessionRow::address).collect();
                let addresses = addresses.join(", ");
                text.push_str(&format!(
                    ", and what you have set on networks that you have closed: {addresses}"
                ));
            }
        }
        return Ok(context.ask(RichText::plain(text + "."), format!("forgetting {name}"), command));
    };
    if let Confirmed::Announced(announced) = confirmed {
        // One that was closed since the question is kept: nobody was told that it would go.
        closed.retain(|row| announced.contains(&row.id));
    }
    let (mut gone, mut conversations, all) = (0, 0, buffers.len());
    for (done, buffer) in buffers.into_iter().enumerate() {
        context
            .progress(&RichText::plain(format!("Forgetting {name}: {done} of {all} conversations.")))
            .await;
        let lines = context
            .bridge
            .store
            .forget_history(context.call.user.id, buffer.id, context.bridge.unix_ms())
            .await?;
        gone += lines;
        // Those of a closed network are counted when they go as a whole.
        let goes_whole = closed.iter().any(|row| row.id == buffer.session);
        conversations += u64::from(lines > 0 && !goes_whole);
    }
    let mut sessions = 0;
    for row in closed {
        // One that was opened again meanwhile stays.
        if let Some(whole) = context.bridge.forget_closed(context.call.user.id, row.id).await? {
            sessions += 1;
            gone += whole.lines;
            conversations += whole.buffers;
        }
    }
    context.bridge.scrub_history();
    let of_several = match (&of, conversations) {
        (Of::Conversation, _) | (_, 0) => String::new(),
        (_, 1) => ", in 1 conversation".to_owned(),
        (_, more) => format!(", in {more} conversations"),
    };
    let settings = match (&of, sessions) {
        (_, 0) => "",
        (Of::Network, _) => ", and what you had set there",
        (_, 1) => ", and what you had set on the network that you have closed",
        _ => ", and what you had set on the networks that you have closed",
    };
    Ok(RichText::plain(format!(
        "Forgotten: {} of {name}{of_several}{settings}. What stands in the rooms is the homeserver's and stays there.",
        lines(gone)
    )))
}

/// What somebody has agreed to.
#[derive(Debug, PartialEq, Eq)]
enum Confirmed {
    /// Whatever the words say.
    Typed,
    /// What the question said: of closed sessions, these go as a whole.
    Announced(Vec<i64>),
}

impl Confirmed {
    const WORD: &str = "confirm";

    fn read(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case(Self::WORD) {
            return Some(Self::Typed);
        }
        let sessions = word.strip_prefix(Self::WORD)?.strip_prefix(':')?.split_terminator(',');
        Some(Self::Announced(sessions.map(str::parse).collect::<Result<_, _>>().ok()?))
    }

    /// As it stands in a command.
    fn word(&self) -> String {
        match self {
            Self::Typed => Self::WORD.to_owned(),
            Self::Announced(sessions) => {
                let sessions: Vec<String> = sessions.iter().map(i64::to_string).collect();
                format!("{}:{}", Self::WORD, sessions.join(","))
            }
        }
    }
}

/// What is to be forgotten.
struct Forgettable {
    buffers: Vec<OwnBuffer>,
    /// How it is called.
    name: String,
    of: Of,
    /// Networks that go as a whole, since they are closed.
    closed: Vec<SessionRow>,
}

/// What somebody wants forgotten.
enum Of {
    Conversation,
    Network,
    Everything,
}

async fn forgettable(context: &Context<'_>) -> Result<Forgettable, Refusal> {
    let (words, user, store) = (context.rest, context.call.user.id, &context.bridge.store);
    let is_one_word = !words.is_empty() && !words.contains(char::is_whitespace);
    if !is_one_word || context.buffers_named(words).await?.is_empty() {
        let mut buffers = store.own_buffers(user).await?;
        let mut closed = store.closed_sessions(user).await?;
        if words == "*" || words.eq_ignore_ascii_case("everything") {
            return Ok(Forgettable { buffers, name: "everything".to_owned(), of: Of::Everything, closed });
        }
        // A network that was closed has its conversations still, and so has one that is gone.
        let sessions = store.sessions_of(user).await?;
        let rows: Vec<&SessionRow> = sessions.iter().collect();
        if let Some((row, "")) = which::one_of(&rows, words, |word| context.slug_of(word))? {
            buffers.retain(|buffer| buffer.session == row.id);
            closed.retain(|one| one.id == row.id);
            let name = context.bridge.network_name(&row.address());
            return Ok(Forgettable { buffers, name, of: Of::Network, closed });
        }
    }
    let (buffer, rest) = context.conversation().await?;
    if !rest.trim().is_empty() {
        return Err(usage_of(context));
    }
    let name = buffer.name.clone();
    Ok(Forgettable { buffers: vec![buffer], name, of: Of::Conversation, closed: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_question_announced_is_what_its_answer_confirms() {
        for confirmed in [
            Confirmed::Typed,
            Confirmed::Announced(vec![]),
            Confirmed::Announced(vec![7]),
            Confirmed::Announced(vec![1, 23]),
        ] {
            assert_eq!(Confirmed::read(&confirmed.word()), Some(confirmed));
        }
        assert_eq!(Confirmed::read("Confirm"), Some(Confirmed::Typed));
        for other in ["", "confirmed", "confirm:x", "confirm:1,,2", "#confirm"] {
            assert_eq!(Confirmed::read(other), None, "{other}");
        }
    }

    #[test]
    fn a_permalink_leads_to_the_event_whatever_its_id_holds() {
        assert_eq!(
            permalink("!room:server", "$ab+/c=", "server:8448"),
            "https://matrix.to/#/!room:server/$ab%2B%2Fc%3D?via=server:8448"
        );
    }

    #[test]
    fn the_newest_lines_that_fit_are_shown() {
        let line = |number: i64| KeptLine {
            id: number,
            at: number,
            kind: "message".into(),
            sender: "bob".into(),
            target: None,
            text: format!("{number} {}", "<".repeat(400)),
            account: None,
            msgid: None,
            event_id: None,
            direction: "in".into(),
        };
        let lines: Vec<KeptLine> = (0..200).map(line).collect();
        let shown = fitting(&lines);
        assert!((10..60).contains(&shown.len()), "{}", shown.len());
        assert_eq!(shown.last().unwrap().0.id, 199);
        let whole = shown.into_iter().fold(RichText::new(), |text, (_, line)| text.line().then(line));
        assert!(whole.to_html().unwrap().len() <= LONGEST_HTML);
    }
}
