//! Search: a user's own lines, newest first.
//!
//! What a person typed becomes plain words (`words`), each of which a line must have. Whose lines, where, and whose words
//! are marks in the same index, so that a common word in a small room is as fast as a rare one in a large one: the
//! index walks the shortest list.
//!
//! SQLite's FTS5 gives the highest numbers first. PostgreSQL's GIN has no order: it is asked for spans of time, from an
//! hour to half a year, newest first, until enough is found. So what is common is found in the first spans, and what
//! is rare costs no more than a few looks.
//!
//! That somebody finds only their own lines is checked twice: by the mark in the index, and again by whom the session
//! belongs to when a line is read.

use std::fmt::Write as _;

use sqlx::FromRow;

use super::super::pool::{Pool, on};
use super::super::{Store, StoreError};
use super::number::first_at;
use super::words::{self, TIMES};

/// What is counted beyond it is only said to be more.
const MOST_COUNTED: usize = 1_000;
/// The least letters before a `*`: with fewer, it would stand for a good part of everything.
const SHORTEST_PREFIX: usize = 3;
/// Words of a question that count.
const MOST_TERMS: usize = 20;
/// How many spans of time of one size make one of the next.
const FINER: u32 = 4;

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
    /// The Matrix room.
    pub room_id: Option<String>,
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
        let mut query = format!("{quote}{}{quote}", words::of_user(self.user));
        match &self.scope {
            SearchScope::All => {}
            SearchScope::Session(session) => {
                let _ = write!(query, "{and}{quote}{}{quote}", words::of_session(*session));
            }
            SearchScope::Buffers(buffers) => {
                let marks = buffers.iter().map(|buffer| words::of_buffer(*buffer));
                let _ = write!(query, "{and}{}", any_of(marks, syntax));
            }
        }
        if let Some(sender) = &self.sender {
            let _ = write!(query, "{and}{quote}{}{quote}", words::of_nick(sender));
        }
        for Term { text, is_prefix } in terms(&self.words) {
            let _ = write!(query, "{and}{quote}{text}{quote}{}", if is_prefix { prefix } else { "" });
        }
        query
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

/// The marks of time from the newest number to the oldest, in few steps of growing length: lines of the next step are
/// older than those of this one.
fn steps(newest: i64, oldest: i64) -> Vec<Vec<String>> {
    let (name, shift) = TIMES[0];
    let mut end = newest >> shift;
    let mut steps = vec![vec![format!("_{name}{end}")]];
    for (place, (name, shift)) in TIMES.into_iter().enumerate() {
        // What is left of the next larger span that the last step was in; of the largest, everything.
        let begin = if place + 1 < TIMES.len() { (end >> FINER) << FINER } else { oldest >> shift };
        let begin = begin.max(oldest >> shift);
        let step: Vec<String> = (begin..end).rev().map(|span| format!("_{name}{span}")).collect();
        if !step.is_empty() {
            steps.push(step);
        }
        end >>= FINER;
    }
    steps
}

impl Store {
    /// Finds lines of a user's.
    pub async fn search(&self, search: &Search) -> Result<Hits, StoreError> {
        if search.is_empty() || matches!(&search.scope, SearchScope::Buffers(buffers) if buffers.is_empty()) {
            return Ok(Hits::default());
        }
        let mut numbers = match self.readers() {
            Pool::Sqlite(pool) => on_sqlite(pool, search).await?,
            Pool::Postgres(pool) => on_postgres(pool, search).await?,
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
                history.event_id, buffer.name AS buffer_name, session.network, room.room_id
            FROM history JOIN buffer ON buffer.id = history.buffer JOIN session ON session.id = buffer.session
            LEFT JOIN link ON link.buffer = buffer.id AND link.role = 'private'
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

async fn on_sqlite(pool: &sqlx::SqlitePool, search: &Search) -> Result<Vec<i64>, StoreError> {
    const SQL: &str = "SELECT rowid FROM history_search WHERE history_search MATCH $1 AND rowid >= $2
        ORDER BY rowid DESC LIMIT $3";
    let query = search.query(&FTS5);
    let limit = counted(search) as i64 + 1;
    Ok(sqlx::query_scalar(SQL).bind(query).bind(since(search)).bind(limit).fetch_all(pool).await?)
}

async fn on_postgres(pool: &sqlx::PgPool, search: &Search) -> Result<Vec<i64>, StoreError> {
    // The planner believes that what is common everywhere is common here, and reads everything backwards; and what it
    // gains with several processes or by compiling is less than either takes to begin.
    const PLAN: &str = "SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0;
        SET LOCAL jit = off; SET LOCAL statement_timeout = '20s'";
    const ENDS: &str = "SELECT MIN(rowid), MAX(rowid) FROM history_search";
    // Not by the primary key either, which would be the same walk backwards.
    const SQL: &str = "SELECT rowid FROM history_search
        WHERE array_to_tsvector(string_to_array(words, ' ')) @@ CAST($1 AS tsquery) AND rowid >= $2
        ORDER BY rowid + 0 DESC LIMIT $3";
    let mut tx = pool.begin().await?;
    sqlx::raw_sql(PLAN).execute(&mut *tx).await?;
    let (Some(oldest), Some(newest)) =
        sqlx::query_as::<_, (Option<i64>, Option<i64>)>(ENDS).fetch_one(&mut *tx).await?
    else {
        return Ok(Vec::new());
    };
    let since = since(search);
    let query = search.query(&TSQUERY);
    let mut numbers = Vec::new();
    for step in steps(newest, oldest.max(since).min(newest)) {
        let query = format!("{query}{}{}", TSQUERY.and, any_of(step, &TSQUERY));
        let limit = (counted(search) + 1 - numbers.len()) as i64;
        let found: Vec<i64> =
            sqlx::query_scalar(SQL).bind(query).bind(since).bind(limit).fetch_all(&mut *tx).await?;
        numbers.extend(found);
        if numbers.len() > counted(search) {
            break;
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

    #[rstest]
    #[case::words("Crème brûlée", "\"_u1\" AND \"creme\" AND \"brulee\"")]
    #[case::their_language(
        "\"a\" OR b NOT c",
        "\"_u1\" AND \"a\" AND \"or\" AND \"b\" AND \"not\" AND \"c\""
    )]
    #[case::columns_and_near(
        "words:x NEAR(y z)",
        "\"_u1\" AND \"words\" AND \"x\" AND \"near\" AND \"y\" AND \"z\""
    )]
    #[case::marks("_u2", "\"_u1\" AND \"u2\"")]
    #[case::beginning("foo bar*", "\"_u1\" AND \"foo\" AND \"bar\" *")]
    #[case::star_elsewhere("foo* bar", "\"_u1\" AND \"foo\" AND \"bar\"")]
    #[case::short_beginning("fo*", "\"_u1\" AND \"fo\"")]
    #[case::punctuation("' \\ \" * : & | !", "\"_u1\"")]
    fn what_is_typed_is_never_read_as_a_query(#[case] typed: &str, #[case] query: &str) {
        assert_eq!(search(typed).query(&FTS5), query);
    }

    #[test]
    fn a_question_has_its_place_and_its_person() {
        let all =
            Search { scope: SearchScope::Buffers(vec![3, 4]), sender: Some("Bob[".into()), ..search("x y*") };
        assert_eq!(all.query(&TSQUERY), "'_u1' & ('_b3' | '_b4') & '_nbob_7b_' & 'x' & 'y'");
        let session = Search { scope: SearchScope::Session(2), ..search("wxy*") };
        assert_eq!(session.query(&TSQUERY), "'_u1' & '_s2' & 'wxy':*");
        assert!(search("…").is_empty() && !all.is_empty());
    }

    #[test]
    fn the_steps_back_in_time_cover_everything_once_newest_first() {
        let (newest, oldest) = (first_at(1_700_000_000_000), first_at(1_500_000_000_000));
        let all = steps(newest, oldest);
        assert!(all.len() <= 5 && all.iter().all(|step| step.len() < 20), "{all:?}");
        let span = |mark: &str| {
            let (_, shift) = TIMES.into_iter().find(|(name, _)| mark[1..].starts_with(*name)).unwrap();
            let number: i64 = mark[2..].parse().unwrap();
            (number << shift, (number + 1) << shift)
        };
        let spans: Vec<(i64, i64)> = all.iter().flatten().map(|mark| span(mark)).collect();
        assert!(spans[0].0 <= newest && newest < spans[0].1);
        assert!(spans.windows(2).all(|pair| pair[0].0 == pair[1].1), "{spans:?}");
        assert!(spans.last().unwrap().0 <= oldest);
        assert_eq!(steps(5, 5), [["_h0"]]);
    }
}
