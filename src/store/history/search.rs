//! Search: a user's own lines, newest first.
//!
//! What a person typed becomes plain words (`words`), each of which a line must have. Whose lines, where, and whose words
//! are marks in the same index, so that a common word in a small room is as fast as a rare one in a large one: the
//! index walks the shortest list.
//!
//! SQLite's FTS5 gives the highest numbers first. PostgreSQL's GIN has no order: it is asked for spans of time (`spans`).
//!
//! That somebody finds only what they have heard is checked twice: by the marks of their sessions and of the channels that
//! they had in shared rooms, which every question holds, and again by whose a line is, and when they were there (`stays`).

use std::fmt::Write as _;

use futures_util::FutureExt as _;
use sqlx::{AssertSqlSafe, FromRow};

use super::super::pool::{Pool, on};
use super::super::readers::SqliteConnections;
use super::super::{Store, StoreError};
use super::number::first_at;
use super::spans::Spans;
use super::words::{self, Keeping};
use crate::names::session_address;

/// What is beyond it is only said to be more.
const MOST_COUNTED: usize = 100;
/// The least letters before a `*`: with fewer, it would stand for a good part of everything.
const SHORTEST_PREFIX: usize = 3;
/// Words of a question that count.
const MOST_TERMS: usize = 20;
/// Buffers that have no more lines together are searched as a whole, whatever the time.
const SMALL: i64 = 3_000;
/// So many lines of a span of time are read to find the newest among them. Where there are more, the span is divided.
const DENSE: usize = 1_000;

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchScope {
    /// In everything of the user's.
    All,
    /// In one session.
    Session(i64),
    /// In these buffers.
    Buffers(Vec<i64>),
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The number of the user, who finds only what they have heard.
    pub user: i64,
    /// Where.
    pub scope: SearchScope,
    /// Only lines of this nick.
    pub sender: Option<String>,
    /// Only lines from this time on, in milliseconds since 1970.
    pub since: Option<i64>,
    /// The words, as they were typed. The last one may end in `*`, and then only begins as what is looked for.
    pub words: String,
    /// How many lines to give.
    pub limit: usize,
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Hit {
    /// Milliseconds since 1970.
    pub at: i64,
    /// As in [`HistoryLine::kind`](super::HistoryLine::kind).
    pub kind: String,
    /// The nick of the one who said it.
    pub sender: String,
    /// The kicked nick of a kick.
    pub target: Option<String>,
    /// The text as it was received or sent.
    pub text: String,
    /// The Matrix event, where one is known.
    pub event_id: Option<String>,
    /// The channel or nick.
    pub buffer_name: String,
    /// The network's slug.
    pub network: String,
    /// The name of the session, empty where it has none.
    pub session_name: String,
    /// The Matrix room.
    pub room_id: Option<String>,
}

impl Hit {
    /// How its user calls the session.
    pub fn address(&self) -> String {
        session_address(&self.network, &self.session_name)
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hits {
    /// The newest, newest first.
    pub lines: Vec<Hit>,
    /// How many there are besides.
    pub more: usize,
    /// There are more than that: they were not counted to the end.
    pub uncounted: bool,
}

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    text: String,
    /// What begins with it counts, too.
    is_prefix: bool,
}

impl Search {
    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.sender.is_none() && terms(&self.words).is_empty()
    }

    /// The question in an engine's own language: every word quoted, and nothing else in it that a person typed.
    fn query(&self, syntax: &Syntax) -> String {
        let Syntax { quote, and, prefix, .. } = syntax;
        let mut query = String::new();
        if let Some(sender) = &self.sender {
            let _ = write!(query, "{and}{quote}{}{quote}", words::of_nick(sender));
        }
        for Term { text, is_prefix } in terms(&self.words) {
            let _ = write!(query, "{and}{quote}{text}{quote}{}", if is_prefix { prefix } else { "" });
        }
        query
    }

    /// In which of these buffers, which are the user's, there may be something to find.
    fn of_these(&self, mut own: Vec<Own>) -> Vec<Own> {
        match &self.scope {
            _ if self.is_empty() => own.clear(),
            SearchScope::All => {}
            SearchScope::Session(wanted) => own.retain(|own| own.session == *wanted),
            SearchScope::Buffers(wanted) => own.retain(|own| wanted.contains(&own.buffer)),
        }
        own
    }

    /// Whether certain buffers are searched, and not all of a session's.
    fn is_of_buffers(&self) -> bool {
        matches!(self.scope, SearchScope::Buffers(_))
    }
}

/// A buffer of the user's, and a channel that it had in a shared room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
struct Own {
    buffer: i64,
    session: i64,
    channel: Option<i64>,
}

/// Where a user's lines are.
struct Place<'a> {
    search: &'a Search,
    buffers: Vec<i64>,
    /// Those that were shown in shared rooms, with their channels.
    shared: Vec<(i64, i64)>,
    sessions: Vec<i64>,
    channels: Vec<i64>,
}

impl<'a> Place<'a> {
    fn new(search: &'a Search, own: &[Own]) -> Self {
        let each = |of: fn(&Own) -> Option<i64>| {
            let mut numbers: Vec<i64> = own.iter().filter_map(of).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        Self {
            search,
            buffers: each(|own| Some(own.buffer)),
            shared: own.iter().filter_map(|own| Some((own.buffer, own.channel?))).collect(),
            sessions: each(|own| Some(own.session)),
            channels: each(|own| own.channel),
        }
    }

    fn keeping(&self) -> Vec<Keeping> {
        let channels = self.channels.iter().copied().map(Keeping::Channel);
        self.sessions.iter().copied().map(Keeping::Session).chain(channels).collect()
    }

    fn marks(&self) -> Vec<String> {
        self.keeping().into_iter().map(Keeping::mark).collect()
    }

    /// The marks of all that was said in these buffers and channels.
    fn marks_of_buffers(&self) -> Vec<String> {
        let channels = self.channels.iter().copied().map(Keeping::Channel);
        self.buffers.iter().copied().map(words::of_buffer).chain(channels.map(Keeping::mark)).collect()
    }

    /// The question, of lines that have one of these marks.
    fn query(&self, marks: impl IntoIterator<Item = String>, syntax: &Syntax) -> String {
        let mut query = any_of(marks, syntax);
        if self.search.is_of_buffers() {
            let _ = write!(query, "{}{}", syntax.and, any_of(self.marks_of_buffers(), syntax));
        }
        query + &self.search.query(syntax)
    }

    /// A condition that holds of lines which the user has heard, as far as their marks do not say so: it is in one of these
    /// buffers, or its channel's while one of them was in the shared room.
    fn is_heard(&self) -> String {
        if self.channels.is_empty() {
            return String::new();
        }
        format!(
            "AND rowid >= (SELECT MIN(id) FROM (SELECT MIN(since) AS id FROM stay WHERE buffer IN ({shared})
                UNION ALL SELECT MIN(id) FROM history WHERE buffer IN ({buffers})) AS first)
            AND EXISTS (SELECT 1 FROM history WHERE history.id = history_search.rowid AND (history.buffer IN ({buffers})
                OR EXISTS (SELECT 1 FROM stay WHERE stay.buffer IN ({shared}) AND stay.channel = history.channel
                    AND history.id >= stay.since AND (stay.until IS NULL OR history.id < stay.until))))",
            shared = list(self.shared.iter().map(|(buffer, _)| *buffer)),
            buffers = list(self.buffers.iter().copied()),
        )
    }
}

fn list(numbers: impl Iterator<Item = i64>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
}

/// How an engine writes a question.
struct Syntax {
    quote: &'static str,
    and: &'static str,
    or: &'static str,
    prefix: &'static str,
}

const FTS5: Syntax = Syntax { quote: "\"", and: " AND ", or: " OR ", prefix: " *" };
const TSQUERY: Syntax = Syntax { quote: "'", and: " & ", or: " | ", prefix: ":*" };

/// One of several marks.
fn any_of(marks: impl IntoIterator<Item = String>, syntax: &Syntax) -> String {
    let Syntax { quote, or, .. } = syntax;
    let marks: Vec<String> = marks.into_iter().map(|mark| format!("{quote}{mark}{quote}")).collect();
    format!("({})", marks.join(or))
}

/// The words that a person looks for. Of the last one the beginning is enough when a `*` stands behind it.
fn terms(text: &str) -> Vec<Term> {
    let wants_prefix = text.trim_end().ends_with('*');
    let words = words::words(text).into_iter().take(MOST_TERMS);
    let mut terms: Vec<Term> = words.map(|text| Term { text, is_prefix: false }).collect();
    if let Some(last) = terms.last_mut() {
        last.is_prefix = wants_prefix && last.text.chars().count() >= SHORTEST_PREFIX;
    }
    terms
}

impl Store {
    /// Finds lines of a user's.
    pub async fn search(&self, search: &Search) -> Result<Hits, StoreError> {
        const OWN: &str = r#"SELECT DISTINCT buffer.id AS buffer, buffer.session, stay.channel
            FROM buffer JOIN session ON session.id = buffer.session LEFT JOIN stay ON stay.buffer = buffer.id
            WHERE session."user" = $1"#;
        let own: Vec<Own> =
            on!(self.readers(), |p| sqlx::query_as(OWN).bind(search.user).fetch_all(p).await)?;
        let place = Place::new(search, &search.of_these(own));
        if place.sessions.is_empty() {
            return Ok(Hits::default());
        }
        let mut numbers = match self.readers() {
            Pool::Sqlite(connections) => on_sqlite(connections, &place).await?,
            Pool::Postgres(pool) => on_postgres(pool, &place).await?,
        };
        let uncounted = numbers.len() > counted(search);
        numbers.truncate(counted(search));
        let more = numbers.len().saturating_sub(search.limit);
        let mut lines = Vec::with_capacity(search.limit.min(numbers.len()));
        for number in numbers.into_iter().take(search.limit) {
            lines.extend(self.hit(&place, number).await?);
        }
        Ok(Hits { lines, more, uncounted })
    }

    async fn hit(&self, place: &Place<'_>, number: i64) -> Result<Option<Hit>, StoreError> {
        const SQL: &str = r#"SELECT history.at, history.kind, history.sender, history.target, history.text,
                history.event_id, buffer.name AS buffer_name, session.network,
                session.name AS session_name, room.room_id
            FROM history JOIN buffer ON buffer.id = $3
            JOIN session ON session.id = buffer.session
            LEFT JOIN link ON link.buffer = buffer.id AND link.role IN ('private', 'shared')
            LEFT JOIN room ON room.id = link.room
            WHERE history.id = $1 AND session."user" = $2 AND (history.buffer = $3 OR EXISTS (SELECT 1 FROM stay
                WHERE stay.buffer = $3 AND stay.channel = history.channel
                    AND history.id >= stay.since AND (stay.until IS NULL OR history.id < stay.until)))"#;
        const WHERE: &str = "SELECT buffer, channel FROM history WHERE id = $1";
        let user = place.search.user;
        let found: Option<(Option<i64>, Option<i64>)> =
            on!(self.readers(), |p| sqlx::query_as(WHERE).bind(number).fetch_optional(p).await)?;
        let Some((owner, channel)) = found else { return Ok(None) };
        let own = owner.filter(|buffer| place.buffers.binary_search(buffer).is_ok());
        let there = place.shared.iter().filter(|(_, shared)| own.is_none() && Some(*shared) == channel);
        for buffer in own.into_iter().chain(there.map(|(buffer, _)| *buffer)) {
            let found: Option<Hit> = on!(self.readers(), |p| sqlx::query_as(SQL)
                .bind(number)
                .bind(user)
                .bind(buffer)
                .fetch_optional(p)
                .await)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// How many lines are counted.
fn counted(search: &Search) -> usize {
    MOST_COUNTED.max(search.limit)
}

/// The earliest number that counts.
fn since(search: &Search) -> i64 {
    search.since.map_or(i64::MIN, first_at)
}

async fn on_sqlite(connections: &SqliteConnections, place: &Place<'_>) -> Result<Vec<i64>, StoreError> {
    let Place { search, .. } = place;
    let sql = format!(
        "SELECT rowid FROM history_search WHERE history_search MATCH $1 AND rowid >= $2 {} ORDER BY rowid DESC LIMIT $3",
        place.is_heard()
    );
    let query = place.query(place.marks(), &FTS5);
    let limit = counted(search) as i64 + 1;
    let (since, is_constant) = (since(search), place.channels.is_empty());
    let read = connections.read_apart(move |connection| {
        // Of what is not constant there are numbers only.
        let found = sqlx::query_scalar(AssertSqlSafe(sql)).bind(query).bind(since).bind(limit);
        found.persistent(is_constant).fetch_all(connection).boxed()
    });
    Ok(read.await?)
}

async fn on_postgres(pool: &sqlx::PgPool, place: &Place<'_>) -> Result<Vec<i64>, StoreError> {
    // The planner believes that what is common everywhere is common here, and reads everything backwards; and what it
    // gains with several processes or by compiling is less than either takes to begin.
    const PLAN: &str = "SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_seqscan = off;
        SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL statement_timeout = '20s'";
    // Few lines are counted, which a bitmap of all lines of a large channel would be too much for.
    const PLAN_TO_COUNT: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
        SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL statement_timeout = '20s'";
    const ENDS: &str = "SELECT (SELECT rowid FROM history_search ORDER BY rowid LIMIT 1),
        (SELECT rowid FROM history_search ORDER BY rowid DESC LIMIT 1)";
    const COUNT: &str =
        "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM history WHERE buffer = ANY($1) LIMIT $3) AS own)
        + (SELECT COUNT(*) FROM (SELECT 1 FROM history WHERE channel = ANY($2) LIMIT $3) AS heard)";
    let Place { search, buffers, channels, .. } = place;
    let some = format!(
        "SELECT rowid FROM history_search
            WHERE array_to_tsvector(string_to_array(words, ' ')) @@ CAST($1 AS tsquery) AND rowid >= $2 {} LIMIT $3",
        place.is_heard()
    );
    let newest_first = some.replace(" LIMIT $3", " ORDER BY rowid DESC LIMIT $3");
    let ends: (Option<i64>, Option<i64>) = sqlx::query_as(ENDS).fetch_one(pool).await?;
    let (Some(oldest), Some(newest)) = ends else { return Ok(Vec::new()) };
    let mut tx = pool.begin().await?;
    let since = since(search);
    let ask = |sql: &str, query: String, limit: usize| {
        // Of what is not constant there are numbers only.
        let asked = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).bind(query);
        asked.bind(since).bind(limit as i64).persistent(channels.is_empty())
    };
    let mut is_small = false;
    if search.is_of_buffers() {
        sqlx::raw_sql(PLAN_TO_COUNT).execute(&mut *tx).await?;
        let count = sqlx::query_scalar(COUNT).bind(buffers).bind(channels).bind(SMALL + 1);
        let lines: i64 = count.fetch_one(&mut *tx).await?;
        is_small = lines <= SMALL;
    }
    sqlx::raw_sql(PLAN).execute(&mut *tx).await?;
    if is_small {
        let query = place.query(place.marks_of_buffers(), &TSQUERY);
        let found = ask(&newest_first, query, counted(search) + 1).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        return Ok(found);
    }
    let mut numbers = Vec::new();
    // Newest last.
    let mut rest = Spans::back(newest, oldest.max(since).min(newest));
    let keeping = place.keeping();
    while let Some(spans) = rest.pop()
        && numbers.len() <= counted(search)
    {
        let query = place.query(spans.marks(&keeping), &TSQUERY);
        let halves = spans.halves();
        // What can't be divided is put in order, however much it is.
        let (sql, limit) = match &halves {
            Some(_) => (&some, DENSE + 1),
            None => (&newest_first, counted(search) + 1),
        };
        let mut found: Vec<i64> = ask(sql, query, limit).fetch_all(&mut *tx).await?;
        match halves {
            Some((newer, older)) if found.len() > DENSE => rest.extend([older, newer]),
            _ => {
                found.sort_unstable_by(|a, b| b.cmp(a));
                numbers.append(&mut found);
            }
        }
    }
    tx.commit().await?;
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn search(words: &str) -> Search {
        Search { user: 1, scope: SearchScope::All, sender: None, since: None, words: words.into(), limit: 10 }
    }

    /// A session has the buffer with its number less two.
    fn of(search: &Search, sessions: &[i64], syntax: &Syntax) -> String {
        let own = |&session: &i64| Own { buffer: session - 2, session, channel: None };
        let place = Place::new(search, &sessions.iter().map(own).collect::<Vec<_>>());
        place.query(place.marks(), syntax)
    }

    #[rstest]
    #[case::words("Crème brûlée", "(\"_s5\" OR \"_s6\") AND \"creme\" AND \"brulee\"")]
    #[case::their_language(
        "\"a\" OR b NOT c",
        "(\"_s5\" OR \"_s6\") AND \"a\" AND \"or\" AND \"b\" AND \"not\" AND \"c\""
    )]
    #[case::columns_and_near(
        "words:x NEAR(y z)",
        "(\"_s5\" OR \"_s6\") AND \"words\" AND \"x\" AND \"near\" AND \"y\" AND \"z\""
    )]
    #[case::marks("_s7", "(\"_s5\" OR \"_s6\") AND \"s7\"")]
    #[case::beginning("foo bar*", "(\"_s5\" OR \"_s6\") AND \"foo\" AND \"bar\" *")]
    #[case::star_elsewhere("foo* bar", "(\"_s5\" OR \"_s6\") AND \"foo\" AND \"bar\"")]
    #[case::short_beginning("fo*", "(\"_s5\" OR \"_s6\") AND \"fo\"")]
    #[case::punctuation("' \\ \" * : & | !", "(\"_s5\" OR \"_s6\")")]
    fn what_is_typed_is_never_read_as_a_query(#[case] typed: &str, #[case] query: &str) {
        assert_eq!(of(&search(typed), &[5, 6], &FTS5), query);
    }

    #[test]
    fn a_question_has_its_place_and_its_person() {
        let all =
            Search { scope: SearchScope::Buffers(vec![3, 4]), sender: Some("Bob[".into()), ..search("x y*") };
        assert_eq!(
            of(&all, &[5, 6], &TSQUERY),
            "('_s5' | '_s6') & ('_b3' | '_b4') & '_nbob_7b_' & 'x' & 'y'"
        );
        let session = Search { scope: SearchScope::Session(5), ..search("wxy*") };
        assert_eq!(of(&session, &[5], &TSQUERY), "('_s5') & 'wxy':*");
        assert!(search("…").is_empty() && !all.is_empty());
    }

    #[test]
    fn what_was_heard_in_a_shared_room_is_looked_for_by_its_channel() {
        let own = [(3, 5, None), (4, 6, Some(9)), (4, 6, Some(8))];
        let own = own.map(|(buffer, session, channel)| Own { buffer, session, channel });
        let asked = |search: &Search, own: &[Own]| {
            let place = Place::new(search, own);
            (place.query(place.marks(), &TSQUERY), !place.is_heard().is_empty())
        };
        assert_eq!(asked(&search("x"), &own), ("('_s5' | '_s6' | '_c8' | '_c9') & 'x'".into(), true));
        let all = Search { scope: SearchScope::Buffers(vec![3, 4]), ..search("x") };
        let places = "('_s6' | '_c9') & ('_b4' | '_c9') & 'x'";
        assert_eq!(asked(&all, &own[1..2]), (places.into(), true));
        assert_eq!(asked(&search("x"), &own[..1]), ("('_s5') & 'x'".into(), false));
    }

    #[test]
    fn without_a_session_or_in_anothers_there_is_nothing_to_ask() {
        let own = |sessions: &[i64]| {
            let own = |&session: &i64| Own { buffer: session - 2, session, channel: None };
            sessions.iter().map(own).collect::<Vec<_>>()
        };
        let of = |scope, sessions: &[i64]| {
            let found = Search { scope, ..search("word") }.of_these(own(sessions));
            found.iter().map(|own| own.session).collect::<Vec<_>>()
        };
        assert_eq!(of(SearchScope::Session(5), &[5, 6]), [5]);
        assert!(of(SearchScope::Session(7), &[5, 6]).is_empty());
        assert_eq!(of(SearchScope::All, &[5, 6]), [5, 6]);
        assert_eq!(of(SearchScope::Buffers(vec![4, 9]), &[5, 6]), [6]);
        assert!(of(SearchScope::All, &[]).is_empty() && of(SearchScope::Buffers(vec![1]), &[]).is_empty());
        assert!(of(SearchScope::Buffers(vec![]), &[5]).is_empty());
        assert!(search("…").of_these(own(&[5])).is_empty());
    }
}
