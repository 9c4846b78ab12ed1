//! Search in the store, on either engine: what is found, in which order, and by whom.

use rstest::rstest;
use towline::store::{BufferKind, HistoryLine, Incoming, NewBuffer, Search, SearchScope};

use super::super::{NOW, Raw, Set, line};
use super::said;

const DAY: i64 = 86_400_000;

pub(super) fn search(words: &str) -> Search {
    Search { user: 1, scope: SearchScope::All, sender: None, since: None, words: words.into(), limit: 10 }
}

impl Set {
    /// The texts that are found, newest first.
    async fn found(&self, search: Search) -> Vec<String> {
        assert_eq!(self.user.id, 1);
        self.store.search(&search).await.unwrap().lines.into_iter().map(|hit| hit.text).collect()
    }
}

#[tokio::test]
async fn the_newest_line_comes_first_whenever_it_was_stored() {
    let set = Set::new().await;
    let (a, b) = (set.channel("#a").await, set.channel("#b").await);
    set.keep([said(a, "word now", NOW), said(a, "another", NOW)]).await;
    // Over all sizes of the spans in which an index is asked.
    let days = [1000, 400, 30, 400, 2, 90];
    set.keep(days.map(|days| said(b, &format!("a WORD of {days} days"), NOW - days * DAY))).await;
    set.keep([said(a, "two hours, word", NOW - 7_200_000)]).await;
    let wanted = [
        "word now",
        "two hours, word",
        "a WORD of 2 days",
        "a WORD of 30 days",
        "a WORD of 90 days",
        "a WORD of 400 days",
        "a WORD of 400 days",
        "a WORD of 1000 days",
    ];
    assert_eq!(set.found(search("word")).await, wanted);
    let since = |days: i64| Search { since: Some(NOW - days * DAY), ..search("word") };
    assert_eq!(set.found(since(30)).await, wanted[..4]);
    assert_eq!(set.found(since(-1)).await, [""; 0]);
    let short = set.store.search(&Search { limit: 3, ..search("word") }).await.unwrap();
    assert_eq!((short.lines.len(), short.more, short.uncounted), (3, 5, false));
    let hit = &short.lines[0];
    assert_eq!((hit.buffer_name.as_str(), hit.network.as_str(), hit.sender.as_str()), ("#a", "fake", "bob"));
    assert_eq!((hit.at, hit.kind.as_str(), hit.event_id.as_deref()), (NOW, "message", None));
}

#[rstest]
#[case::case("HELLO", &["hello world"])]
#[case::accents("creme", &["Crème brûlée, s'il vous plaît"])]
#[case::accents_in_the_question("CRÈME brûlee", &["Crème brûlée, s'il vous plaît"])]
#[case::all_words("world hello", &["hello world"])]
#[case::not_all_words("hello moon", &[])]
#[case::part_of_a_word("hell", &[])]
#[case::beginning("hel*", &["hello world"])]
#[case::beginning_last("world hel*", &["hello world"])]
#[case::bold("formatted", &["for\x02mat\x02ted"])]
#[case::address("example.org/path", &["see https://example.org/path?query=1"])]
#[case::japanese("東京", &["東京タワー"])]
#[case::japanese_turned_round("京東", &[])]
#[case::one_character("京", &["東京タワー"])]
#[case::quotes("\"hello\" 'world'", &["hello world"])]
#[case::near("NEAR(hello world)", &[])]
#[case::or("hello OR moon", &[])]
#[case::not("hello -world", &["hello world"])]
#[case::not_in_tsquery("hello & !world", &["hello world"])]
#[case::column("words:hello", &[])]
#[case::mark("_u1", &[])]
#[case::mark_of_a_buffer("_b1 hello", &[])]
#[case::backslash("hello\\", &["hello world"])]
#[case::nothing("…", &[])]
#[case::long_ago("hello\0world", &["hello world"])]
#[tokio::test]
async fn words_find_lines_and_nothing_else_does(#[case] typed: &str, #[case] found: &[&str]) {
    let set = Set::new().await;
    let buffer = set.channel("#a").await;
    let texts = [
        "hello world",
        "Crème brûlée, s'il vous plaît",
        "for\x02mat\x02ted",
        "see https://example.org/path?query=1",
        "東京タワー",
    ];
    set.keep(texts.map(|text| line(buffer, text))).await;
    set.keep([HistoryLine { kind: "join", ..line(buffer, "hello@world") }]).await;
    assert_eq!(set.found(search(typed)).await, found);
}

#[tokio::test]
async fn a_search_keeps_to_its_place_and_its_person() {
    let set = Set::new().await;
    let (a, b) = (set.channel("#a").await, set.channel("#b").await);
    let by = |nick: &str, line: HistoryLine| HistoryLine { sender: nick.into(), ..line };
    let lines = [
        by("bob", line(a, "word one")),
        by("Carol[x]", line(a, "word two")),
        by("carol{X}", line(b, "word three")),
    ];
    set.keep(lines).await;
    let of = |scope| Search { scope, ..search("word") };
    assert_eq!(set.found(of(SearchScope::Buffers(vec![a]))).await, ["word two", "word one"]);
    assert_eq!(set.found(of(SearchScope::Buffers(vec![a, b]))).await.len(), 3);
    assert_eq!(set.found(of(SearchScope::Buffers(vec![]))).await.len(), 0);
    assert_eq!(set.found(of(SearchScope::Session(set.session.id))).await.len(), 3);
    assert_eq!(set.found(of(SearchScope::Session(99))).await.len(), 0);
    let from = |nick: &str, words| Search { sender: Some(nick.into()), ..search(words) };
    assert_eq!(set.found(from("CAROL[X]", "")).await, ["word three", "word two"]);
    assert_eq!(set.found(from("bob", "two")).await.len(), 0);
    assert_eq!(set.found(from("x\" OR \"_u1", "word")).await.len(), 0);
}

#[tokio::test]
async fn nobody_finds_what_is_anothers() {
    let set = Set::new().await;
    let mine = set.channel("#a").await;
    set.keep([line(mine, "my secret")]).await;
    let mallory = set.store.ensure_user("@mallory:x", NOW).await.unwrap();
    let (session, _) = set.store.open_session(&mallory, ("fake", ""), "FakeNet", NOW).await.unwrap();
    let epoch = set.store.claim_session(session.id, "one").await.unwrap();
    let new = set.buffer(BufferKind::Channel, "#a");
    let new = NewBuffer { session: session.id, owner: mallory.id, marker: "other".into(), ..new };
    let theirs = set.store.open_buffer(new).await.unwrap().id;
    let mut incoming = Incoming::default();
    incoming.keep(line(theirs, "their secret"));
    set.store.commit_incoming(session.id, epoch, "fake", incoming, NOW).await.unwrap();
    let scopes = [
        SearchScope::All,
        SearchScope::Session(set.session.id),
        SearchScope::Buffers(vec![mine]),
        SearchScope::Buffers(vec![mine, theirs]),
    ];
    for scope in scopes {
        let of = Search { user: mallory.id, scope: scope.clone(), ..search("secret") };
        let hits = set.store.search(&of).await.unwrap();
        assert!(hits.lines.iter().all(|hit| hit.text == "their secret"), "{scope:?}: {hits:?}");
        assert_eq!(hits.more, 0, "not even how many there are");
    }
    assert_eq!(set.found(search("secret")).await, ["my secret"]);
}

#[tokio::test]
async fn the_newest_of_very_many_lines_are_found_and_the_rest_is_said_to_be_more() {
    let set = Set::new().await;
    let buffer = set.channel("#a").await;
    // Thousands within weeks that are long over, more than a thousand of them within an hour.
    let first = NOW - 100 * DAY;
    set.keep((0..2_000).map(|number| said(buffer, &format!("often {number}"), first + number * DAY / 100)))
        .await;
    let hour = first + 30 * DAY;
    set.keep((0..1_500).map(|number| said(buffer, &format!("often at once {number}"), hour + number))).await;
    set.keep([said(buffer, "once", NOW)]).await;
    let hits = set.store.search(&search("often")).await.unwrap();
    let newest: Vec<String> = (1_490..1_500).rev().map(|number| format!("often at once {number}")).collect();
    assert_eq!(hits.lines.iter().map(|hit| hit.text.clone()).collect::<Vec<_>>(), newest);
    assert_eq!((hits.more, hits.uncounted), (90, true));
    let hits = set.store.search(&Search { limit: 2_600, ..search("often") }).await.unwrap();
    assert_eq!((hits.lines.len(), hits.more, hits.uncounted), (2_600, 0, true));
    let times: Vec<i64> = hits.lines.iter().map(|hit| hit.at).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older));
    assert_eq!(hits.lines[2_599].text, "often 900");
    let hits = set.store.search(&search("often 7")).await.unwrap();
    assert_eq!((hits.lines.len(), hits.more, hits.uncounted), (2, 0, false));
}

#[tokio::test]
async fn a_line_that_is_gone_is_not_found_nor_kept_in_the_index() {
    let set = Set::new().await;
    let buffer = set.channel("#a").await;
    set.keep((0..30).map(|number| said(buffer, &format!("word {number}"), NOW - number * DAY))).await;
    assert_eq!(set.store.prune_history(buffer, NOW - 10 * DAY).await.unwrap(), (19, false));
    let hits = set.store.search(&Search { limit: 100, ..search("word") }).await.unwrap();
    assert_eq!(hits.lines.len(), 11);
    let mut raw = Raw::new(&set.database).await;
    assert_eq!(raw.count("SELECT COUNT(*) FROM history_search").await, 11);
    // Also where something else than the history is what was deleted.
    if matches!(raw, Raw::Sqlite(_)) {
        raw.execute("PRAGMA foreign_keys = ON").await;
    }
    raw.execute("DELETE FROM session").await;
    assert_eq!(raw.count("SELECT COUNT(*) FROM history_search").await, 0);
    assert_eq!(set.found(search("word")).await.len(), 0);
}
