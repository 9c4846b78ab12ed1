//! Wanted and joined: what keeps us out of a channel, and what it takes to try again.

use super::*;
use crate::names::Key;
use rstest::rstest;

const IRCNET: &str = "CHANTYPES=#&!+ CASEMAPPING=rfc1459 NETWORK=IRCnet";

/// Ready, and `#new` was asked for.
fn asking() -> Bench {
    let mut bench = Bench::ready();
    bench.session.join(&[(channel("#new"), None)]);
    assert_eq!(bench.sent(), ["JOIN #new"]);
    bench
}

impl Bench {
    /// Lets time go by on a server that answers each PING. Returns the lines with a word, by their second.
    fn see(&mut self, duration: Duration, word: &str) -> Vec<u64> {
        let start = self.now;
        let mut seen = Vec::new();
        while self.now < start + duration {
            for (_, line) in self.wait(Duration::from_secs(1)).1 {
                if line.starts_with(word) {
                    seen.push((self.now - start).as_secs());
                }
                if let Some(token) = line.strip_prefix("PING ") {
                    self.server(&format!(":irc.test PONG irc.test {token}"));
                }
            }
        }
        seen
    }

    fn standing(&self, name: &str) -> String {
        let found = self.session.wishes().find(|(channel, _)| channel.as_str() == name);
        match found.map(|(_, standing)| standing) {
            None => "not wanted".to_owned(),
            Some(Standing::Joined) => "joined".to_owned(),
            Some(Standing::Asked) => "asked".to_owned(),
            Some(Standing::Blocked(obstacle)) => format!("blocked {}", obstacle.code),
        }
    }
}

const INVITED: &[Trigger] = &[Trigger::Invitation];
const LOGIN: &[Trigger] = &[Trigger::Login];
const KEY: &[Trigger] = &[Trigger::Key];
const PLACE: &[Trigger] = &[Trigger::Place];

#[rstest]
#[case::no_such_channel(":s 403 alice #new :No such channel", 403, None, &[])]
#[case::too_many_channels(":s 405 alice #new :You have joined too many channels", 405, Some(30), PLACE)]
#[case::several_of_that_name(":s 407 alice #new :Duplicate recipients", 407, Some(5), &[])]
#[case::unavailable(":s 437 alice #new :Nick/channel is temporarily unavailable", 437, Some(1), &[])]
#[case::forward(":s 470 alice #new ##new :Forwarding to another channel", 470, Some(60), LOGIN)]
#[case::full(":s 471 alice #new :Cannot join channel (+l)", 471, Some(1), &[])]
#[case::invite_only(":s 473 alice #new :Cannot join channel (+i)", 473, Some(60), INVITED)]
#[case::banned(":s 474 alice #new :Cannot join channel (+b)", 474, Some(10), LOGIN)]
#[case::key(":s 475 alice #new :Cannot join channel (+k)", 475, Some(60), KEY)]
#[case::bad_mask(":s 476 alice #new :Bad Channel Mask", 476, None, &[])]
#[case::registered_only(":s 477 alice #new :You need to be identified", 477, Some(5), LOGIN)]
#[case::bad_name(":s 479 alice #new :Illegal channel name", 479, None, &[])]
#[case::throttled(":s 480 alice #new :Cannot join channel (+j) - throttle exceeded", 480, Some(0), &[])]
#[case::secure_only_hybrid(":s 480 alice #new :Cannot join channel (+S) - SSL/TLS required", 480, None, &[])]
#[case::secure_only(":s 489 alice #new :Cannot join channel (SSL is required)", 489, None, &[])]
#[case::after_a_kick(":s 495 alice #new :You must wait 5 seconds after being kicked", 495, Some(0), &[])]
#[case::operators_only(":s 520 alice #new :Cannot join channel (IRCops only)", 520, None, &[])]
fn a_channel_that_does_not_let_us_in_is_told_and_tried_again_when_it_may_help(
    #[case] line: &str,
    #[case] expected: u16,
    #[case] minutes: Option<u64>,
    #[case] on: &[Trigger],
) {
    let mut bench = asking();
    let events = bench.server(line);
    let [Event::JoinFailed { channel, code, reason, retry, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((channel.as_str(), *code, retry.on), ("#new", expected, on));
    assert!(line.ends_with(reason.as_str()));
    // Jitter is a quarter of it.
    let wait = minutes.map(|minutes| Duration::from_secs(if minutes == 0 { 30 } else { minutes * 60 }));
    match (wait, retry.after) {
        (None, None) => {}
        (Some(wait), Some(after)) => {
            assert!(after >= wait.mul_f64(0.74) && after <= wait.mul_f64(1.26), "{after:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.standing("#new"), format!("blocked {expected}"));
    let hour = bench.see(Duration::from_hours(2), "JOIN #new");
    assert_eq!(hour.is_empty(), wait.is_none(), "{hour:?}");
}

#[test]
fn waits_grow_and_the_same_refusal_is_told_once() {
    let mut bench = asking();
    assert_eq!(bench.server(":s 471 alice #new :Cannot join channel (+l)").len(), 1);
    let mut at = Vec::new();
    for second in 0..4 * 3600 {
        if !bench.see(Duration::from_secs(1), "JOIN #new").is_empty() {
            at.push(second);
            assert_eq!(bench.server(":s 471 alice #new :Cannot join channel (+l)"), []);
        }
    }
    let waits: Vec<u32> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, expected) in waits.iter().zip([120, 240, 480, 960, 1800, 1800]) {
        assert!((expected * 74 / 100..=expected * 127 / 100).contains(wait), "{waits:?}");
    }
    // Another reason is news, and begins with short waits.
    let events = bench.server(":s 473 alice #new :Cannot join channel (+i)");
    assert!(matches!(&events[..], [Event::JoinFailed { code: 473, .. }]));
}

#[test]
fn a_join_that_nobody_answers_is_repeated_ever_later() {
    let mut bench = asking();
    assert_eq!(bench.standing("#new"), "asked");
    let at = bench.see(Duration::from_hours(3), "JOIN #new");
    assert!((2..=12).contains(&at.len()) && at[0] >= 440, "{at:?}");
}

#[test]
fn a_user_who_asks_again_is_heard_at_once_and_told_again() {
    let mut bench = asking();
    bench.server(":s 475 alice #new :Cannot join channel (+k)");
    bench.session.join(&[(channel("#new"), Some(Key::new("sesame").unwrap()))]);
    assert_eq!(bench.sent(), ["JOIN #new sesame"]);
    assert_eq!(bench.server(":s 475 alice #new :Cannot join channel (+k)").len(), 1);
    bench.server(":alice!al@h JOIN #new");
    assert_eq!(bench.standing("#new"), "joined");
}

#[test]
fn an_invitation_to_a_wanted_channel_is_followed() {
    let mut bench = Bench::ready();
    bench.session.join(&[(channel("#new"), Some(Key::new("sesame").unwrap()))]);
    bench.sent();
    bench.server(":s 473 alice #new :Cannot join channel (+i)");
    let events = bench.server(":bob!b@h INVITE alice #NEW");
    assert!(matches!(&events[..], [Event::Invited { nick, followed: true, .. }] if nick == "alice"));
    assert_eq!(bench.sent(), ["JOIN #new sesame"]);
    bench.server(":s 473 alice #new :Cannot join channel (+i)");
    bench.session.part(&channel("#new"), "");
    assert_eq!(bench.sent(), [""; 0], "we are not in it");
    let events = bench.server(":bob!b@h INVITE alice #new");
    assert!(matches!(&events[..], [Event::Invited { followed: false, .. }]), "{events:?}");
    assert_eq!(bench.sent(), [""; 0]);
}

#[rstest]
#[case::registered_only(477)]
#[case::banned(474)]
fn a_login_opens_doors(#[case] code: u16) {
    let mut bench = asking();
    bench.server(&format!(":s {code} alice #new :Cannot join channel"));
    bench.server(":s 900 alice alice!al@h alice :You are now logged in as alice");
    assert_eq!(bench.sent(), ["JOIN #new"]);
}

#[test]
fn a_channel_that_is_left_makes_place_for_another() {
    let mut bench = asking();
    bench.server(":alice!al@h JOIN #old");
    bench.server(":s 405 alice #new :You have joined too many channels");
    bench.session.part(&channel("#old"), "");
    bench.sent();
    bench.server(":alice!al@h PART #old");
    assert_eq!(bench.sent(), ["JOIN #new"]);
}

#[rstest]
#[case::solanum(":s 470 alice #new ##new :Forwarding to another channel", Some("##new"))]
#[case::unreal(
    ":s 470 alice :[Link] #new has become full, so you are automatically being transferred to the linked channel \
     #more",
    Some("#more")
)]
#[case::nowhere(":s 470 alice #new :Linked", None)]
fn a_forward_is_followed_and_told(#[case] line: &str, #[case] to: Option<&str>) {
    let mut bench = asking();
    let events = bench.server(line);
    let [Event::JoinFailed { channel, forward, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((channel.as_str(), forward.as_deref()), ("#new", to));
    if let Some(to) = to {
        bench.server(&format!(":alice!al@h JOIN {to}"));
        assert_eq!((bench.standing(to), bench.standing("#new")), ("joined".into(), "blocked 470".into()));
    }
}

#[test]
fn a_kick_is_followed_by_one_return_after_a_pause_and_no_second() {
    let mut bench = Bench::in_channel("bob");
    let events = bench.server(":bob!b@h KICK #RUST ALICE :out");
    let [Event::Kicked { own: true, back_in: Some(wait), .. }] = &events[..] else { panic!("{events:?}") };
    assert!((45..=75).contains(&wait.as_secs()), "{wait:?}");
    assert!(bench.session.channel("#rust").is_none());
    assert_eq!(bench.standing("#rust"), "blocked 0");
    assert_eq!(bench.sent(), [""; 0]);
    let at = bench.see(Duration::from_mins(5), "JOIN #rust");
    assert!(matches!(at[..], [45..=76]), "{at:?}");
    bench.server(":alice!al@host.test JOIN #rust");
    let events = bench.server(":bob!b@h KICK #rust alice :I said out");
    assert!(matches!(&events[..], [Event::Kicked { own: true, back_in: None, .. }]), "{events:?}");
    assert_eq!(bench.see(Duration::from_hours(5), "JOIN"), [0; 0]);
    // Who is asked back may come.
    bench.server(":bob!b@h INVITE alice #rust");
    assert_eq!(bench.sent(), ["JOIN #rust"]);
}

#[test]
fn a_kick_with_a_ban_is_not_raced() {
    let mut bench = Bench::in_channel("bob");
    bench.server(":bob!b@h KICK #rust alice :out");
    assert_eq!(bench.see(Duration::from_mins(2), "JOIN").len(), 1);
    let events = bench.server(":s 474 alice #rust :Cannot join channel (+b)");
    assert!(matches!(&events[..], [Event::JoinFailed { code: 474, .. }]));
    let at = bench.see(Duration::from_hours(1), "JOIN");
    assert!(at.len() <= 4 && at[0] >= 440, "{at:?}");
}

#[test]
fn who_has_enough_stays_out_after_a_kick() {
    let mut bench = Bench::in_channel("bob");
    bench.server(":bob!b@h KICK #rust alice :out");
    bench.session.part(&channel("#rust"), "");
    assert_eq!(bench.see(Duration::from_hours(2), "JOIN"), [0; 0]);
    assert_eq!(bench.standing("#rust"), "not wanted");
}

#[test]
fn who_leaves_before_the_server_has_let_them_in_leaves() {
    let mut bench = asking();
    bench.session.part(&channel("#new"), "never mind");
    assert_eq!(bench.standing("#new"), "not wanted");
    bench.server(":alice!al@h JOIN #new");
    assert!(bench.session.is_leaving("#new"));
    assert_eq!(bench.sent(), ["PART #new :never mind"]);
    bench.server(":alice!al@h PART #new");
    assert!(!bench.session.is_leaving("#new"));
    // Whoever brings us there later finds us staying.
    bench.server(":alice!al@h JOIN #new");
    assert_eq!((bench.sent(), bench.standing("#new")), (vec![], "joined".into()));
}

/// PART went before the JOIN that was still waiting for flood control, and the channel was entered after it.
#[test]
fn a_join_that_still_waits_is_undone_when_it_is_answered() {
    let flood = FloodLimits { burst: 1, interval: Duration::from_secs(1) };
    let mut bench = Bench::ready_with(SessionConfig { flood, ..Bench::config() }, "CHANTYPES=#");
    bench.session.join(&[(channel("#new"), None)]);
    bench.session.part(&channel("#new"), "");
    bench.wait(Duration::from_secs(20));
    bench.server(":alice!al@h JOIN #new");
    let lines = bench.wait(Duration::from_secs(20)).1;
    assert!(lines.iter().any(|(_, line)| line == "PART #new"), "{lines:?}");
}

/// Under another name than the one that was asked for, the channel was entered and stayed.
#[rstest]
#[case::forward("#new", ":s 470 alice #new ##new :Forwarding to another channel", "##new")]
#[case::ircnet("!new", "", "!ABCDEnew")]
#[case::cut("#0123456789", "", "#012345678")]
fn who_leaves_before_the_answer_leaves_whatever_the_channel_is_called(
    #[case] asked: &str,
    #[case] before: &str,
    #[case] entered: &str,
) {
    let mut bench = Bench::ready_with(Bench::config(), "CHANTYPES=#! CHANNELLEN=10");
    bench.session.join(&[(channel(asked), None)]);
    bench.sent();
    bench.session.part(&channel(asked), "");
    if !before.is_empty() {
        assert_eq!(bench.server(before), [], "nobody waits for it");
    }
    bench.server(&format!(":alice!al@h JOIN {entered}"));
    assert_eq!(
        (bench.sent(), bench.standing(entered)),
        (vec![format!("PART {entered}")], "not wanted".into())
    );
}

#[test]
fn who_left_before_an_answer_that_never_came_may_be_brought_in_later() {
    let mut bench = asking();
    bench.session.part(&channel("#new"), "");
    bench.see(Duration::from_mins(11), "");
    bench.server(":alice!al@h JOIN #new");
    assert_eq!(bench.standing("#new"), "joined");
}

#[test]
fn a_refusal_of_a_channel_that_was_left_is_nobodys_news() {
    for code in [403, 471, 473, 477] {
        let mut bench = asking();
        bench.session.part(&channel("#new"), "");
        assert_eq!(bench.server(&format!(":s {code} alice #new :Cannot join channel")), [], "{code}");
        assert!(!bench.session.is_leaving("#new"));
    }
}

#[rstest]
#[case::by_command(true)]
#[case::by_a_raw_line(false)]
fn who_asks_again_before_the_answer_stays(#[case] by_command: bool) {
    let mut bench = asking();
    bench.session.part(&channel("#new"), "");
    if by_command {
        bench.session.join(&[(channel("#new"), None)]);
    } else {
        bench.session.command(Line::raw("JOIN #new").unwrap()).unwrap();
    }
    bench.sent();
    bench.server(":alice!al@h JOIN #new");
    assert_eq!((bench.sent(), bench.standing("#new")), (vec![], "joined".into()));
}

#[test]
fn who_leaves_where_a_forward_led_is_not_led_there_again() {
    let mut bench = asking();
    bench.server(":s 470 alice #new ##new :Forwarding to another channel");
    bench.server(":alice!al@h JOIN ##new");
    assert_eq!(bench.session.part(&channel("##new"), ""), [channel("#new")]);
    assert_eq!(bench.standing("#new"), "not wanted");
    bench.server(":alice!al@h PART ##new");
    assert_eq!(bench.see(Duration::from_hours(7), "JOIN"), [0; 0]);
}

#[test]
fn a_name_that_the_server_cuts_is_the_one_that_was_wanted() {
    let mut bench = Bench::ready_with(Bench::config(), "CHANNELLEN=10 CHANTYPES=#");
    bench.session.join(&[(channel("#0123456789"), None)]);
    bench.sent();
    let events = bench.server(":alice!al@h JOIN #012345678");
    let named = Event::ChannelNamed { asked: "#0123456789".into(), channel: "#012345678".into() };
    assert_eq!(events[0], named);
    assert_eq!(
        (bench.standing("#012345678"), bench.standing("#0123456789")),
        ("joined".into(), "not wanted".into())
    );
}

/// It was asked for again, ever later, and each time the server's answer stood in the network's room.
#[rstest]
#[case::unreal_forbids(":s 448 alice #new :Cannot join channel: Channel name is forbidden", 448)]
#[case::inspircd_forbids(":s 926 alice #new :Channel #new is CBANed: no", 926)]
#[case::old_inspircd(":s 384 alice #new :Channel #new is CBANed: no", 384)]
#[case::administrators_only(":s 519 alice #new :Cannot join channel (+A)", 519)]
fn a_refusal_of_a_kind_that_is_not_known_is_one(#[case] line: &str, #[case] code: u16) {
    let mut bench = asking();
    let events = bench.server(line);
    assert!(matches!(&events[..], [Event::JoinFailed { .. }]), "{events:?}");
    assert_eq!(bench.standing("#new"), format!("blocked {code}"));
    // Nobody asks now: it is about something else.
    assert!(matches!(&bench.server(line)[..], [Event::Numeric { .. }]));
}

#[rstest]
#[case::wanted(true)]
#[case::left(false)]
fn a_channel_in_which_the_server_says_that_we_are_not_is_put_right(#[case] wanted: bool) {
    let mut bench = Bench::in_channel("bob");
    if !wanted {
        bench.session.part(&channel("#rust"), "");
        bench.sent();
    }
    let events = bench.server(":s 442 alice #rust :You're not on that channel");
    assert!(bench.session.channel("#rust").is_none());
    let parted = events.iter().any(|event| matches!(event, Event::Parted { own: true, .. }));
    let sent = if wanted { vec!["JOIN #rust".to_owned()] } else { vec![] };
    assert_eq!((parted, bench.sent()), (!wanted, sent));
}

#[test]
fn a_part_that_the_server_says_ends_the_wish() {
    let mut bench = Bench::in_channel("bob");
    let events = bench.server(":Alice!al@h PART #rust");
    assert!(matches!(&events[..], [Event::Parted { own: true, .. }]));
    assert_eq!(bench.standing("#rust"), "not wanted");
    bench.server(":bob!b@h INVITE alice #rust");
    assert_eq!(bench.sent(), [""; 0]);
}

#[rstest]
#[case::mode(&[":bob!b@h MODE #rust +k sesame"])]
#[case::mode_is(&[":irc.test 324 alice #rust +nk sesame"])]
#[case::raw_join(&[":bob!b@h KICK #rust alice", "> JOIN #rust sesame", ":alice!al@h JOIN #rust"])]
fn a_key_is_learnt_and_used(#[case] lines: &[&str]) {
    let mut bench = Bench::in_channel("bob");
    let mut learnt = Vec::new();
    for line in lines {
        match line.strip_prefix("> ") {
            Some(typed) => bench.session.command(Line::raw(typed).unwrap()).unwrap(),
            None => learnt.extend(bench.server(line)),
        }
    }
    let is_key = |event: &&Event| matches!(event, Event::KeyLearnt { channel, key } if channel == "#rust" && key.as_str() == "sesame");
    assert_eq!(learnt.iter().filter(is_key).count(), 1, "{learnt:?}");
    let shown = format!("{learnt:?}");
    assert!(shown.contains("324") || !shown.contains("sesame"), "{shown}");
    // Told once, kept when it is taken away, and used.
    assert!(!bench.server(":bob!b@h MODE #rust +k sesame").iter().any(|event| is_key(&event)));
    bench.server(":bob!b@h MODE #rust -k *");
    bench.server(":bob!b@h KICK #rust alice :out");
    bench.sent();
    bench.session.join(&[(channel("#rust"), None)]);
    assert_eq!(bench.sent(), ["JOIN #rust sesame"]);
}

#[test]
fn a_mark_in_the_place_of_a_key_is_none() {
    let mut bench = Bench::in_channel("bob");
    for mark in ["*", "<key>"] {
        let events = bench.server(&format!(":irc.test 324 alice #rust +nk {mark}"));
        assert!(!events.iter().any(|event| matches!(event, Event::KeyLearnt { .. })), "{events:?}");
    }
}

#[test]
fn joins_are_packed_by_what_the_server_takes_in_the_users_order_and_keys_are_paired() {
    let key = |text: &str| Some(Key::new(text).unwrap());
    let channels = vec![
        (channel("#e"), None),
        (channel("#d"), key("k1")),
        (channel("#c"), None),
        (channel("#b"), key("k2")),
        (channel("#a"), None),
    ];
    let config = SessionConfig { channels: channels.clone(), ..Bench::config() };
    for (tokens, expected) in [
        ("TARGMAX=JOIN:2", vec!["JOIN #d,#e k1", "JOIN #b,#c k2", "JOIN #a"]),
        ("TARGMAX=JOIN:", vec!["JOIN #d,#b,#e,#c,#a k1,k2"]),
        ("NETWORK=x", vec!["JOIN #d,#b,#e,#c,#a k1,k2"]),
    ] {
        let mut bench = Bench::new(config.clone());
        bench.server(":irc.test 001 alice :Welcome");
        bench.server(&format!(":irc.test 005 alice {tokens} :are supported"));
        bench.server(":irc.test 422 alice :No MOTD");
        let joins: Vec<_> = bench.sent().into_iter().filter(|line| line.starts_with("JOIN")).collect();
        assert_eq!(joins, expected, "{tokens}");
    }
}

#[rstest]
#[case::usual("NETWORK=x", 512)]
#[case::longer("LINELEN=1024", 1024)]
fn no_join_is_longer_than_a_line(#[case] tokens: &str, #[case] longest: usize) {
    let channels = (0..300).map(|n| {
        let key = (n % 3 == 0).then(|| Key::new(&format!("key{n}")).unwrap());
        (channel(&format!("#channel-{n:03}")), key)
    });
    let mut bench =
        Bench::ready_with(SessionConfig { channels: channels.collect(), ..Bench::config() }, tokens);
    // The first lines have left.
    bench.sent();
    bench.session.join(&(0..300).map(|n| (channel(&format!("#other-{n:03}")), None)).collect::<Vec<_>>());
    let joins = bench.sent();
    let named: usize = joins.iter().map(|line| line.matches('#').count()).sum();
    assert_eq!(named, 300);
    assert!(joins.iter().all(|line| line.len() + 2 <= longest), "{joins:?}");
    assert!(joins[0].len() > longest - 16, "{joins:?}");
}

#[rstest]
#[case::short_name("!chan")]
#[case::made_anew("!!chan")]
fn a_channel_of_ircnet_has_a_longer_name_when_it_is_entered(#[case] asked: &str) {
    let mut bench = Bench::ready_with(Bench::config(), IRCNET);
    bench.session.join(&[(channel(asked), None)]);
    assert_eq!(bench.sent(), [format!("JOIN {asked}")]);
    let events = bench.server(":alice!al@h JOIN !12ABCchan");
    let named = Event::ChannelNamed { asked: asked.into(), channel: "!12ABCchan".into() };
    assert!(events[0] == named && matches!(events[1], Event::Joined { own: true, .. }), "{events:?}");
    assert_eq!((bench.standing("!12ABCchan"), bench.standing(asked)), ("joined".into(), "not wanted".into()));
    bench.server(":bob!b@h JOIN !12ABCchan");
    assert!(bench.session.channel("!12abcCHAN").unwrap().has("bob"));
}

#[test]
fn a_channel_of_ircnet_that_died_is_looked_for_by_its_short_name() {
    let mut bench = Bench::ready_with(Bench::config(), IRCNET);
    bench.session.join(&[(channel("!12ABCchan"), None)]);
    bench.sent();
    let events = bench.server(":s 403 alice !12ABCchan :No such channel");
    assert_eq!(events, [Event::ChannelNamed { asked: "!12ABCchan".into(), channel: "!chan".into() }]);
    assert_eq!(bench.sent(), ["JOIN !chan"]);
    let events = bench.server(":s 403 alice !chan :No such channel");
    assert!(matches!(&events[..], [Event::JoinFailed { code: 403, .. }]));
}

#[rstest]
#[case::local("&local")]
#[case::without_modes("+open")]
fn other_kinds_of_channels_are_channels(#[case] name: &str) {
    let mut bench = Bench::ready_with(Bench::config(), &format!("{IRCNET} STATUSMSG=@+"));
    bench.session.join(&[(channel(name), None)]);
    assert_eq!(bench.sent(), [format!("JOIN {name}")]);
    bench.server(&format!(":alice!al@h JOIN {name}"));
    let events = bench.server(&format!(":bob!b@h PRIVMSG {name} :hello"));
    let [Event::Message { target: MessageTarget::Channel { name: to, status: None }, .. }] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(to, name);
}

#[test]
fn the_answer_about_modes_of_a_plus_channel_is_no_refusal() {
    let mut bench = Bench::ready_with(Bench::config(), IRCNET);
    bench.session.join(&[(channel("+open"), None)]);
    let events = bench.server(":s 477 alice +open :Channel doesn't support modes");
    assert!(matches!(&events[..], [Event::Numeric { code: 477, .. }]), "{events:?}");
}

#[test]
fn what_people_ask_for_goes_before_what_waits_from_the_start() {
    let channels = (0..50).map(|n| (channel(&format!("#channel-with-a-long-name-{n}")), None)).collect();
    let flood = FloodLimits { burst: 1, interval: Duration::from_secs(1) };
    let mut bench = Bench::new(SessionConfig { channels, flood, ..Bench::config() });
    bench.server(":irc.test 001 alice :Welcome");
    bench.server(":irc.test 422 alice :No MOTD");
    bench.wait(Duration::from_secs(1));
    bench.session.join(&[(channel("#now"), None)]);
    let joins: Vec<_> = bench
        .wait(Duration::from_mins(1))
        .1
        .into_iter()
        .filter(|(_, line)| line.starts_with("JOIN"))
        .collect();
    assert!(joins.iter().take(2).any(|(_, line)| line == "JOIN #now"), "{joins:?}");
}

/// Before, the one was taken for the other until the server had told them apart, and was not entered again.
#[rstest]
#[case::two("CASEMAPPING=ascii", &["#tea[1]", "#tea{1}"])]
#[case::one("CASEMAPPING=rfc1459", &["#tea{1}"])]
#[case::one_where_it_says_nothing("NICKLEN=9", &["#tea{1}"])]
fn invariant_4_channels_are_entered_again_as_the_server_tells_them_apart(
    #[case] token: &str,
    #[case] entered: &[&str],
) {
    let channels = ["#tea[1]", "#tea{1}"].map(|name| (channel(name), None)).to_vec();
    let mut bench = Bench::new(SessionConfig { channels, ..Bench::config() });
    for line in ["CAP * LS :", ":irc.test 001 alice :Welcome to Test alice!al@host.test"] {
        bench.server(line);
    }
    for token in ["NETWORK=Test", token] {
        bench.server(&format!(":irc.test 005 alice {token} :are supported by this server"));
    }
    bench.server(":irc.test 422 alice :No MOTD");
    let sent = bench.sent();
    let mut asked: Vec<&str> = sent
        .iter()
        .filter_map(|line| line.strip_prefix("JOIN "))
        .flat_map(|names| names.split(','))
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, entered);
}

#[test]
fn invariant_4_a_new_casemapping_is_told() {
    let mut bench = Bench::in_channel("bob");
    let events = bench.server(":irc.test 005 alice CASEMAPPING=ascii :are supported");
    assert_eq!(events, [Event::CasemappingChanged]);
    assert_eq!(bench.server(":irc.test 005 alice CASEMAPPING=ascii :are supported"), []);
}

#[test]
fn a_server_that_takes_only_utf_8_from_now_on_is_told_of() {
    let mut bench = Bench::in_channel("bob");
    for token in ["UTF8ONLY", "-UTF8ONLY"] {
        let line = format!(":irc.test 005 alice {token} :are supported");
        assert_eq!(bench.server(&line), [Event::Utf8OnlyChanged]);
        assert_eq!(bench.server(&line), []);
    }
}

/// Found by the property test with random lines: the time for another try stayed due, which made the owner's loop spin.
#[test]
fn a_refusal_of_a_channel_that_we_are_in_is_no_refusal() {
    let mut bench = Bench::in_channel("bob");
    for code in [403, 470, 471, 477] {
        let events = bench.server(&format!(":s {code} alice #rust :Cannot join channel"));
        assert!(matches!(&events[..], [Event::Numeric { .. }]), "{events:?}");
    }
    assert_eq!(bench.standing("#rust"), "joined");
    assert_eq!(bench.see(Duration::from_hours(2), "JOIN"), [0; 0]);
}
