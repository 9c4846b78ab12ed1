//! Search: a user's own lines, newest first.
//!
//! What a person typed becomes plain words (`words`), each of which a line must have. Whose lines, where, and whose words
//! are marks in the same index, so that a common word in a small room is as fast as a rare one in a large one: the
//! index walks the shortest list.
//!
//! SQLite's FTS5 gives the highest numbers first. PostgreSQL's GIN has no order: it is asked for spans of time (`spans`).
//!
//! That somebody finds only their own lines is checked twice: by the marks of their sessions, which every question holds,
//! and again by whom the session belongs to when a line is read.

use std::fmt::Write as _;

use sqlx::FromRow;

use super::super::pool::{Pool, on};
use super::super::readers::SqliteConnections;
use super::super::{Store, StoreError};
use super::number::first_at;
use super::spans::Spans;
use super::words;
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
    /// The number of the user, who finds only their own lines.
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
    fn query(&self, marks: impl IntoIterator<Item = String>, syntax: &Syntax) -> String {
        let Syntax { quote, and, prefix, .. } = syntax;
        let mut query = any_of(marks, syntax);
        if let SearchScope::Buffers(buffers) = &self.scope {
            let _ = write!(query, "{and}{}", any_of(marks_of(buffers), syntax));
        }
        if let Some(sender) = &self.sender {
            let _ = write!(query, "{and}{quote}{}{quote}", words::of_nick(sender));
        }
        for Term { text, is_prefix } in terms(&self.words) {
            let _ = write!(query, "{and}{quote}{text}{quote}{}", if is_prefix { prefix } else { "" });
        }
        query
    }

    /// In which of these sessions, which are the user's, there may be something to find.
    fn of_these(&self, mut sessions: Vec<i64>) -> Vec<i64> {
        let is_possible = match &self.scope {
            SearchScope::Buffers(buffers) => !buffers.is_empty(),
            SearchScope::All | SearchScope::Session(_) => true,
        };
        if self.is_empty() || !is_possible {
            return Vec::new();
        }
        if let SearchScope::Session(wanted) = &self.scope {
            sessions.retain(|session| session == wanted);
        }
        sessions
    }
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

fn marks_of(buffers: &[i64]) -> impl Iterator<Item = String> {
    buffers.iter().map(|buffer| words::of_buffer(*buffer))
}

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
        const SESSIONS: &str = r#"SELECT id FROM session WHERE "user" = $1 ORDER BY id"#;
        let sessions: Vec<i64> =
            on!(self.readers(), |p| sqlx::query_scalar(SESSIONS).bind(search.user).fetch_all(p).await)?;
        let mut search = search.clone();
        if let SearchScope::Buffers(buffers) = &mut search.scope {
            let own: Vec<i64> = self.own_buffers(search.user).await?.iter().map(|own| own.id).collect();
            buffers.retain(|buffer| own.contains(buffer));
        }
        let search = &search;
        let sessions = search.of_these(sessions);
        if sessions.is_empty() {
            return Ok(Hits::default());
        }
        let mut numbers = match self.readers() {
            Pool::Sqlite(connections) => on_sqlite(connections, search, &sessions).await?,
            Pool::Postgres(pool) => on_postgres(pool, search, &sessions).await?,
        };
        let uncounted = numbers.len() > counted(search);
        numbers.truncate(counted(search));
        let more = numbers.len().saturating_sub(search.limit);
        let mut lines = Vec::with_capacity(search.limit.min(numbers.len()));
        for number in numbers.into_iter().take(search.limit) {
            lines.extend(self.hit(search.user, number).await?);
        }
        Ok(Hits { lines, more, uncounted })
    }

    async fn hit(&self, user: i64, number: i64) -> Result<Option<Hit>, StoreError> {
        const SQL: &str = r#"SELECT history.at, history.kind, history.sender, history.target, history.text,
                history.event_id, buffer.name AS buffer_name, session.network,
                session.name AS session_name, room.room_id
            FROM history JOIN buffer ON buffer.id = history.buffer JOIN session ON session.id = buffer.session
            LEFT JOIN link ON link.buffer = buffer.id AND link.role IN ('private', 'shared')
            LEFT JOIN room ON room.id = link.room
            WHERE history.id = $1 AND session."user" = $2"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(number).bind(user).fetch_optional(p).await)?)
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

async fn on_sqlite(
    connections: &SqliteConnections,
    search: &Search,
    sessions: &[i64],
) -> Result<Vec<i64>, StoreError> {
    const SQL: &str = "SELECT rowid FROM history_search WHERE history_search MATCH $1 AND rowid >= $2
        ORDER BY rowid DESC LIMIT $3";
    let query = search.query(sessions.iter().map(|session| words::of_session(*session)), &FTS5);
    let limit = counted(search) as i64 + 1;
    let mut reading = connections.read().await?;
    let query = sqlx::query_scalar(SQL).bind(query).bind(since(search)).bind(limit);
    let found = query.fetch_all(&mut **reading).await;
    Ok(reading.came_to(found)?)
}

async fn on_postgres(pool: &sqlx::PgPool, search: &Search, sessions: &[i64]) -> Result<Vec<i64>, StoreError> {
    // The planner believes that what is common everywhere is common here, and reads everything backwards; and what it
    // gains with several processes or by compiling is less than either takes to begin.
    const PLAN: &str = "SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_seqscan = off;
        SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL statement_timeout = '20s'";
    // Few lines are counted, which a bitmap of all lines of a large channel would be too much for.
    const PLAN_TO_COUNT: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
        SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL statement_timeout = '20s'";
    const ENDS: &str = "SELECT (SELECT rowid FROM history_search ORDER BY rowid LIMIT 1),
        (SELECT rowid FROM history_search ORDER BY rowid DESC LIMIT 1)";
    const SOME: &str = "SELECT rowid FROM history_search
        WHERE array_to_tsvector(string_to_array(words, ' ')) @@ CAST($1 AS tsquery) AND rowid >= $2 LIMIT $3";
    const NEWEST: &str = "SELECT rowid FROM history_search
        WHERE array_to_tsvector(string_to_array(words, ' ')) @@ CAST($1 AS tsquery) AND rowid >= $2
        ORDER BY rowid DESC LIMIT $3";
    const COUNT: &str =
        "SELECT COUNT(*) FROM (SELECT 1 FROM history WHERE buffer = ANY($1) LIMIT $2) AS lines";
    let ends: (Option<i64>, Option<i64>) = sqlx::query_as(ENDS).fetch_one(pool).await?;
    let (Some(oldest), Some(newest)) = ends else { return Ok(Vec::new()) };
    let mut tx = pool.begin().await?;
    let since = since(search);
    let mut is_small = false;
    if let SearchScope::Buffers(buffers) = &search.scope {
        sqlx::raw_sql(PLAN_TO_COUNT).execute(&mut *tx).await?;
        let lines: i64 = sqlx::query_scalar(COUNT).bind(buffers).bind(SMALL + 1).fetch_one(&mut *tx).await?;
        is_small = lines <= SMALL;
    }
    sqlx::raw_sql(PLAN).execute(&mut *tx).await?;
    if let SearchScope::Buffers(buffers) = &search.scope
        && is_small
    {
        let query = search.query(marks_of(buffers), &TSQUERY);
        let limit = counted(search) as i64 + 1;
        let found =
            sqlx::query_scalar(NEWEST).bind(query).bind(since).bind(limit).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        return Ok(found);
    }
    let mut numbers = Vec::new();
    // Newest last.
    let mut rest = Spans::back(newest, oldest.max(since).min(newest));
    while let Some(spans) = rest.pop()
        && numbers.len() <= counted(search)
    {
        let query = search.query(spans.marks(sessions), &TSQUERY);
        let halves = spans.halves();
        // What can't be divided is put in order, however much it is.
        let (sql, limit) = match &halves {
            Some(_) => (SOME, DENSE + 1),
            None => (NEWEST, counted(search) + 1),
        };
        let mut found: Vec<i64> =
            sqlx::query_scalar(sql).bind(query).bind(since).bind(limit as i64).fetch_all(&mut *tx).await?;
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

    fn marks<const COUNT: usize>(sessions: [i64; COUNT]) -> [String; COUNT] {
        sessions.map(words::of_session)
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
        assert_eq!(search(typed).query(marks([5, 6]), &FTS5), query);
    }

    #[test]
    fn a_question_has_its_place_and_its_person() {
        let all =
            Search { scope: SearchScope::Buffers(vec![3, 4]), sender: Some("Bob[".into()), ..search("x y*") };
        assert_eq!(
            all.query(marks([5, 6]), &TSQUERY),
            "('_s5' | '_s6') & ('_b3' | '_b4') & '_nbob_7b_' & 'x' & 'y'"
        );
        let session = Search { scope: SearchScope::Session(5), ..search("wxy*") };
        assert_eq!(session.query(marks([5]), &TSQUERY), "('_s5') & 'wxy':*");
        assert!(search("…").is_empty() && !all.is_empty());
    }

    #[test]
    fn without_a_session_or_in_anothers_there_is_nothing_to_ask() {
        let of = |scope, sessions: &[i64]| Search { scope, ..search("word") }.of_these(sessions.to_vec());
        assert_eq!(of(SearchScope::Session(5), &[5, 6]), [5]);
        assert!(of(SearchScope::Session(7), &[5, 6]).is_empty());
        assert_eq!(of(SearchScope::All, &[5, 6]), [5, 6]);
        assert!(of(SearchScope::All, &[]).is_empty() && of(SearchScope::Buffers(vec![1]), &[]).is_empty());
        assert!(of(SearchScope::Buffers(vec![]), &[5]).is_empty());
        assert!(search("…").of_these(vec![5]).is_empty());
    }
}
