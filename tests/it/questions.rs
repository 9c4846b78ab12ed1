//! What is asked about messages that did not go, or may not have gone, and what an answer does: a reaction sends them,
//! once.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{self, Person};

mod hourglass;
mod late;

const YES: &str = "✅";

/// Alice in `#rust` with Bob, and her rooms.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    control: String,
    network: String,
    room: String,
    /// What waits for a second has waited too long.
    is_hurried: bool,
}

async fn scene_in(world: World) -> Scene {
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    Scene { world, alice, bob, control, network, room, is_hurried: false }
}

/// With a second of patience for what waits, until it connects again: what is to arrive has more time.
async fn hurried() -> Scene {
    let world = World::builder().stale_after(Duration::from_secs(1)).start().await;
    Scene { is_hurried: true, ..scene_in(world).await }
}

fn answer_to(event_id: &str) -> impl Fn(&Event) -> bool {
    move |event| event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event_id
}

/// A question about this message.
fn asks(event_id: &str, part: &str) -> impl Fn(&Event) -> bool {
    move |event| answer_to(event_id)(event) && event.body().contains(part) && event.body().contains(YES)
}

fn reacts(event_id: &str, key: &str) -> impl Fn(&Event) -> bool {
    move |event| {
        let relation = &event.content["m.relates_to"];
        event.kind == "m.reaction" && relation["event_id"] == event_id && relation["key"] == key
    }
}

fn redacts(event_id: &str) -> impl Fn(&Event) -> bool {
    move |event| event.redacts.as_deref() == Some(event_id)
}

impl Scene {
    /// What alice has said on IRC.
    fn said(&self) -> Vec<String> {
        let heard = self.bob.messages("#rust").into_iter();
        heard.filter(|(who, _)| who == "alice").map(|(_, text)| text).collect()
    }

    /// Reactions with this key that stand under an event.
    fn standing(&self, event_id: &str, key: &str) -> usize {
        let events = self.world.homeserver.events(&self.room).into_iter();
        events.filter(reacts(event_id, key)).count()
    }

    fn answers(&self, event_id: &str) -> Vec<String> {
        let events = self.world.homeserver.events(&self.room).into_iter();
        events.filter(answer_to(event_id)).map(|event| event.body().to_owned()).collect()
    }

    async fn question(&self, event_id: &str, part: &str) -> Event {
        let question = self.world.homeserver.wait_event(&self.room, asks(event_id, part)).await;
        // With the button under it, and known by its event.
        self.world.homeserver.wait_event(&self.room, reacts(&question.event_id, YES)).await;
        self.world.wait_outbox_empty().await;
        question
    }

    async fn disconnect(&self) {
        self.world.ircd.refuse();
        self.world.ircd.cut("alice");
        let is_told = |event: &Event| event.body().contains("Not connected");
        self.world.homeserver.wait_event(&self.network, is_told).await;
    }

    async fn connect(&mut self) {
        if self.is_hurried {
            self.be_patient().await;
        }
        self.world.ircd.welcome().await;
        self.alice.send_text(&self.control, "connect");
        self.world.ircd.wait_joined("#rust", "alice").await;
        // The server knows it before the session does, and until then what is said waits.
        self.world.pass("alice", Duration::ZERO).await;
    }

    /// Waits until everything that came before is through, and gives what alice has said until then.
    async fn said_in_the_end(&self) -> Vec<String> {
        let last = self.alice.send_text(&self.room, "the end");
        self.world.homeserver.wait_receipt(&self.room, &self.world.homeserver.bot(), &last).await;
        let said = self.said();
        assert_eq!(said.last().map(String::as_str), Some("the end"));
        said[..said.len() - 1].to_vec()
    }

    /// A message that has waited too long, and the question about it.
    async fn stale(&self, text: &str) -> (String, Event) {
        let event = self.alice.send_text(&self.room, text);
        let question = self.question(&event, "was not sent").await;
        (event, question)
    }

    /// A message of which nobody knows whether it arrived, and the question about it; there is no connection then.
    async fn uncertain(&self, text: &str) -> (String, Event) {
        self.world.ircd.half_open("alice");
        let event = self.alice.send_text(&self.room, text);
        let last = text.lines().last().unwrap_or_default().to_owned();
        self.world.ircd.wait_line(|_, line| line == format!("PRIVMSG #rust :{last}")).await;
        self.disconnect().await;
        let question = self.question(&event, "may not have arrived").await;
        (event, question)
    }
}

#[rstest::rstest]
#[case::the_button(YES, true)]
#[case::on_the_message_itself(YES, false)]
#[case::a_check_mark_as_an_emoji("✔\u{fe0f}", true)]
#[case::a_check_mark("✔", false)]
#[case::a_thumb("👍", true)]
#[case::a_dark_thumb("👍🏿", true)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_reaction_sends_a_stale_message_once(#[case] key: &str, #[case] on_question: bool) {
    let mut scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("old news\nand more").await;
    assert_eq!(question.content["m.mentions"]["user_ids"][0], scene.alice.id());
    scene.connect().await;
    assert!(scene.said().is_empty());
    let button = scene.world.homeserver.wait_event(&scene.room, reacts(&question.event_id, YES)).await;
    assert_eq!(button.sender, scene.world.homeserver.bot());
    let target = if on_question { &question.event_id } else { &event };
    scene.alice.react(&scene.room, target, key);
    scene.bob.wait_text("and more").await;
    // The button is gone, and who reacts again sends nothing.
    scene.world.homeserver.wait_event(&scene.room, redacts(&button.event_id)).await;
    scene.alice.react(&scene.room, &question.event_id, "👍");
    scene.alice.react(&scene.room, &event, "👍");
    assert_eq!(scene.said_in_the_end().await, ["old news", "and more"]);
    assert_eq!(scene.answers(&event).iter().filter(|body| body.contains("too old")).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_two_reactions_that_come_together_send_once() {
    let mut scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("old news").await;
    scene.connect().await;
    scene.world.homeserver.hold_transactions(true);
    scene.alice.react(&scene.room, &question.event_id, YES);
    scene.alice.react(&scene.room, &event, YES);
    scene.alice.react(&scene.room, &question.event_id, "👍");
    scene.world.homeserver.hold_transactions(false);
    assert_eq!(scene.said_in_the_end().await, ["old news"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_only_the_owners_yes_sends() {
    let mut scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("old news").await;
    scene.connect().await;
    let eve = scene.world.homeserver.user("eve");
    scene.alice.invite(&scene.room, eve.id());
    eve.join(&scene.room).await;
    for target in [&event, &question.event_id] {
        eve.react(&scene.room, target, YES);
        scene.alice.react(&scene.room, target, "👎");
    }
    scene.alice.react(&scene.room, "$nothing:test.local", YES);
    assert!(scene.said_in_the_end().await.is_empty());
    scene.alice.react(&scene.room, &question.event_id, YES);
    scene.bob.wait_text("old news").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_only_what_may_be_missing_is_sent_again() {
    let mut scene = scene_in(World::start().await).await;
    let first = scene.alice.send_text(&scene.room, "this arrives");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &first).await;
    let (event, question) = scene.uncertain("did you get this?").await;
    scene.connect().await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    scene.bob.wait_text("did you get this?").await;
    assert_eq!(scene.said(), ["this arrives", "did you get this?"]);
    assert_eq!(scene.answers(&event).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_of_a_message_in_parts_the_missing_one_is_sent_again() {
    let scene = scene_in(World::builder().flood("{ burst: 3, interval_ms: 300 }").start().await).await;
    scene.world.ircd.half_open("alice");
    let event = scene.alice.send_text(&scene.room, "one\ntwo\nthree\nfour\nfive\nsix");
    scene.world.ircd.wait_line(|_, line| line == "PRIVMSG #rust :two").await;
    scene.world.ircd.cut("alice");
    let question = scene.question(&event, "may not have arrived").await;
    scene.alice.send_text(&scene.control, "connect");
    scene.bob.wait_text("six").await;
    let before = scene.said();
    scene.alice.react(&scene.room, &question.event_id, YES);
    let said = scene.said_in_the_end().await;
    let mut all = said.clone();
    all.sort_unstable();
    assert_eq!(all, ["five", "four", "one", "six", "three", "two"], "each part is there once");
    assert_eq!(said[..before.len()], before, "what was missing comes last");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_question_and_its_answer_survive_restarts() {
    let mut scene = scene_in(World::start().await).await;
    scene.world.ircd.half_open("alice");
    let event = scene.alice.send_text(&scene.room, "did you get this?");
    scene.world.ircd.wait_line(|_, line| line == "PRIVMSG #rust :did you get this?").await;
    scene.world.stop_bridge().await;
    scene.world.ircd.cut_all();
    scene.world.start_bridge().await;
    let question = scene.question(&event, "may not have arrived").await;
    scene.world.ircd.wait_joined("#rust", "alice").await;
    scene.world.stop_bridge().await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    scene.world.start_bridge().await;
    scene.bob.wait_text("did you get this?").await;
    scene.world.stop_bridge().await;
    scene.alice.react(&scene.room, &event, YES);
    scene.world.start_bridge().await;
    assert_eq!(scene.said_in_the_end().await, ["did you get this?"]);
    scene.world.wait_outbox_empty().await;
    assert_eq!(scene.standing(&question.event_id, YES), 1, "the user's own reaction alone stands");
    let answers = scene.answers(&event);
    assert_eq!(answers.iter().filter(|body| !body.contains("waits")).count(), 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_answers_given_without_a_connection_wait_and_go_in_their_order() {
    let scene = hurried().await;
    scene.disconnect().await;
    let mut questions = Vec::new();
    for text in ["one", "two", "three"] {
        questions.push(scene.stale(text).await.1);
    }
    let mut scene = patient(scene).await;
    for question in &questions {
        scene.alice.react(&scene.room, &question.event_id, YES);
    }
    // Twice for the first, and something new behind them.
    scene.alice.react(&scene.room, &questions[0].event_id, "👍");
    scene.alice.send_text(&scene.room, "new");
    scene.world.homeserver.wait_delivered().await;
    scene.connect().await;
    assert_eq!(scene.said_in_the_end().await, ["one", "two", "three", "new"]);
}

impl Scene {
    /// Restarts the bridge with more patience; nobody is connected.
    async fn be_patient(&mut self) {
        self.world.stop_bridge().await;
        self.world.set_stale_after(None);
        self.is_hurried = false;
        self.world.start_bridge().await;
    }
}

/// The same world after a restart with more patience; nobody is connected.
async fn patient(mut scene: Scene) -> Scene {
    scene.be_patient().await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_has_waited_too_long_is_asked_about_with_a_new_button() {
    let mut scene = hurried().await;
    scene.disconnect().await;
    let (event, first) = scene.stale("old news").await;
    scene.alice.react(&scene.room, &first.event_id, YES);
    let is_second = |one: &Event| asks(&event, "was not sent")(one) && one.event_id != first.event_id;
    let second = scene.world.homeserver.wait_event(&scene.room, is_second).await;
    scene.world.homeserver.wait_event(&scene.room, reacts(&second.event_id, YES)).await;
    scene.connect().await;
    scene.alice.react(&scene.room, &second.event_id, YES);
    scene.bob.wait_text("old news").await;
    scene.alice.react(&scene.room, &first.event_id, "👍");
    assert_eq!(scene.said_in_the_end().await, ["old news"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_last_week_is_answered_as_too_old() {
    let mut scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("old news").await;
    scene.connect().await;
    scene.world.stop_bridge().await;
    scene.world.database().execute("UPDATE prompt SET created_at = created_at - 7 * 24 * 3600 * 1000").await;
    scene.world.start_bridge().await;
    scene.world.ircd.wait_joined("#rust", "alice").await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    let is_told = |one: &Event| answer_to(&event)(one) && one.body().contains("too old");
    scene.world.homeserver.wait_event(&scene.room, is_told).await;
    assert!(scene.said_in_the_end().await.is_empty());
    let open = scene.world.database().texts("SELECT event_id FROM prompt WHERE payload IS NOT NULL").await;
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_a_channel_that_one_has_left_is_told_so_at_once() {
    let mut scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("old news").await;
    scene.connect().await;
    scene.alice.send_text(&scene.control, "part #rust");
    scene.world.ircd.wait_parted("#rust", "alice").await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    let is_told = |one: &Event| answer_to(&event)(one) && one.body().contains("join #rust");
    scene.world.homeserver.wait_event(&scene.room, is_told).await;
    // The question stays: who is back may still answer it.
    scene.alice.send_text(&scene.control, "join #rust");
    scene.world.ircd.wait_joined("#rust", "alice").await;
    scene.alice.react(&scene.room, &event, YES);
    scene.bob.wait_text("old news").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_can_not_be_read_any_more_stops_nothing() {
    let mut scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("old news").await;
    scene.connect().await;
    scene.world.database().execute("UPDATE prompt SET payload = (SELECT payload FROM outbox LIMIT 1)").await;
    scene.world.database().execute("UPDATE prompt SET payload = (SELECT value FROM instance LIMIT 1)").await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    let is_told = |one: &Event| answer_to(&event)(one) && one.body().contains("can't be read");
    scene.world.homeserver.wait_event(&scene.room, is_told).await;
    assert!(scene.said_in_the_end().await.is_empty());
}

// What is taken back.

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_taken_back_while_it_waits_is_not_sent() {
    let mut scene = scene_in(World::start().await).await;
    scene.disconnect().await;
    let events: Vec<String> =
        ["one", "two", "three"].iter().map(|text| scene.alice.send_text(&scene.room, text)).collect();
    scene.world.homeserver.wait_delivered().await;
    scene.alice.redact(&scene.room, &events[1]).unwrap();
    scene.world.homeserver.wait_delivered().await;
    scene.connect().await;
    assert_eq!(scene.said_in_the_end().await, ["one", "three"]);
    assert!(scene.answers(&events[1]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_taken_back_behind_flood_control_is_not_sent() {
    let world = World::builder().flood("{ burst: 10, interval_ms: 60000 }");
    let scene = scene_in(world.stale_after(Duration::from_hours(24)).start().await).await;
    let lines: Vec<String> = (0..15).map(|number| format!("line {number}")).collect();
    scene.alice.send_text(&scene.room, &lines.join("\n"));
    let event = scene.alice.send_text(&scene.room, "one\ntwo");
    scene.bob.wait_text("line 0").await;
    scene.alice.redact(&scene.room, &event).unwrap();
    // What answers this has read that. Then time goes by, and the rest leaves.
    scene.alice.send_text(&scene.room, "!irc version");
    scene.world.homeserver.wait_event(&scene.room, |one| one.body().contains("Towline 0.")).await;
    for _ in 0..3 {
        scene.world.pass("alice", Duration::from_mins(30)).await;
    }
    assert_eq!(scene.said_in_the_end().await, lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_taken_back_before_anybody_read_it_is_as_if_never_said() {
    let mut scene = scene_in(World::start().await).await;
    scene.world.stop_bridge().await;
    // The homeserver hands over what is left of it.
    let event = scene.alice.send_text(&scene.room, "never mind");
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.world.start_bridge().await;
    scene.world.ircd.wait_joined("#rust", "alice").await;
    assert!(scene.said_in_the_end().await.is_empty());
    assert_eq!(scene.answers(&event), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_long_message_that_is_taken_back_while_it_waits_no_line_leaves() {
    let mut scene = scene_in(World::start().await).await;
    let event = scene.alice.send_text(&scene.room, "too late to take back");
    scene.bob.wait_text("too late to take back").await;
    scene.disconnect().await;
    let text: Vec<String> = (0..20).map(|number| format!("line {number}")).collect();
    let gone = scene.alice.send_text(&scene.room, &text.join("\n"));
    scene.world.homeserver.wait_delivered().await;
    scene.alice.redact(&scene.room, &gone).unwrap();
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.world.homeserver.wait_delivered().await;
    scene.connect().await;
    assert_eq!(scene.said_in_the_end().await, ["too late to take back"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_message_back_is_asked_no_more_about_it() {
    let mut scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("never mind").await;
    let button = scene.world.homeserver.wait_event(&scene.room, reacts(&question.event_id, YES)).await;
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.world.homeserver.wait_event(&scene.room, redacts(&button.event_id)).await;
    scene.connect().await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    assert!(scene.said_in_the_end().await.is_empty());
    assert_eq!(scene.answers(&event).iter().filter(|body| !body.contains("waits")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_taken_back_while_it_waits_sends_nothing_until_it_is_given_again() {
    let scene = hurried().await;
    scene.disconnect().await;
    let (_, question) = scene.stale("old news").await;
    let mut scene = patient(scene).await;
    let reaction = scene.alice.react(&scene.room, &question.event_id, YES);
    scene.world.homeserver.wait_delivered().await;
    scene.alice.redact(&scene.room, &reaction).unwrap();
    scene.world.homeserver.wait_delivered().await;
    scene.connect().await;
    scene.alice.send_text(&scene.room, "new");
    scene.bob.wait_text("new").await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    assert_eq!(scene.said_in_the_end().await, ["new", "old news"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_taken_back_while_its_answer_waits_is_not_sent() {
    let scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("never mind").await;
    let mut scene = patient(scene).await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    scene.world.homeserver.wait_delivered().await;
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.world.homeserver.wait_delivered().await;
    scene.connect().await;
    assert!(scene.said_in_the_end().await.is_empty());
    assert_eq!(scene.answers(&event).iter().filter(|body| body.contains("too old")).count(), 0);
}

// Where the network keeps what was said, it is looked for there first.

async fn with_history(echo: bool) -> Scene {
    let mut options = ircd::Options::with_history();
    if !echo {
        options.capabilities.retain(|one| one != "echo-message" && one != "labeled-response");
    }
    scene_in(World::builder().ircd(options).start().await).await
}

#[rstest::rstest]
#[case::with_echoes(true)]
#[case::without_echoes(false)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_line_that_the_network_kept_is_not_asked_about(#[case] echo: bool) {
    let scene = with_history(echo).await;
    scene.world.ircd.mute("alice");
    let event = scene.alice.send_text(&scene.room, "did you get this?");
    scene.bob.wait_text("did you get this?").await;
    scene.world.ircd.cut("alice");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &event).await;
    assert_eq!(scene.said_in_the_end().await, ["did you get this?"]);
    assert!(scene.answers(&event).is_empty());
    assert_eq!(scene.world.homeserver.timeline_lines(&scene.room), ["did you get this?", "the end"]);
}

#[rstest::rstest]
#[case::with_echoes(true)]
#[case::without_echoes(false)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_earlier_line_of_the_same_words_confirms_nothing(#[case] echo: bool) {
    let scene = with_history(echo).await;
    let first = scene.alice.send_text(&scene.room, "ok");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &first).await;
    // The second is read by nobody.
    scene.world.ircd.half_open("alice");
    let mark = scene.world.ircd.mark();
    let second = scene.alice.send_text(&scene.room, "ok");
    scene.world.ircd.wait_line_after(mark, |_, line| line.ends_with("PRIVMSG #rust :ok")).await;
    scene.world.ircd.cut("alice");
    let question = scene.question(&second, "may not have arrived").await;
    assert!(scene.answers(&first).is_empty());
    assert_eq!(scene.said(), ["ok"]);
    scene.alice.react(&scene.room, &question.event_id, YES);
    assert_eq!(scene.said_in_the_end().await, ["ok", "ok"]);
}
