//! Tests of the member lists.

use super::member::MOST_MEMBERS;
use super::*;
use proptest::prelude::*;

fn of(tokens: &[&str]) -> (Channels, Isupport) {
    let mut isupport = Isupport::default();
    isupport.apply(tokens.iter().copied());
    let mut channels = Channels::default();
    channels.apply_isupport(&isupport);
    (channels, isupport)
}

fn filled(tokens: &[&str], names: &str) -> Channels {
    let mut channels = of(tokens).0;
    channels.enter("#rust");
    channels.collect_names("#rust", names);
    channels.finish_names("#rust");
    channels
}

fn members(channels: &Channels, channel: &str) -> Vec<String> {
    let view = channels.get(channel).unwrap();
    let mut list: Vec<_> = view.members().map(|(nick, prefixes)| format!("{prefixes}{nick}")).collect();
    list.sort();
    list
}

fn modes(line: &str, isupport: &Isupport) -> ModeChanges {
    ModeChanges::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), isupport)
}

#[test]
fn names_have_all_their_prefixes_and_no_hosts() {
    let channels =
        filled(&["PREFIX=(qaohv)~&@%+"], "~&@founder!u@h.example @+op!~u@h +voice plain!u@h   %half!u@h @");
    assert_eq!(members(&channels, "#rust"), ["%half", "+voice", "@+op", "plain", "~&@founder"]);
    assert_eq!(channels.get("#RUST").unwrap().prefixes("OP"), Some("@+".to_owned()));
}

#[test]
fn invariant_4_a_nick_is_one_under_the_networks_casemapping() {
    let mut channels = filled(&["CASEMAPPING=rfc1459"], "Alice[1] bob");
    channels.add("#RUST", "alice{1}");
    // As the server spells it now.
    assert_eq!(members(&channels, "#rust"), ["alice{1}", "bob"]);
    assert!(channels.remove("#Rust", "ALICE{1}"));
    assert_eq!(members(&channels, "#rust"), ["bob"]);
}

#[test]
fn invariant_4_all_is_folded_anew_when_the_casemapping_changes() {
    let (mut channels, mut isupport) = of(&["CASEMAPPING=ascii"]);
    for channel in ["#a[", "#A{", "#b"] {
        channels.enter(channel);
        channels.collect_names(channel, "@x[ x{ +y");
        channels.finish_names(channel);
    }
    assert_eq!(channels.get("#b").unwrap().member_count(), 3);
    isupport.apply(["CASEMAPPING=rfc1459"]);
    channels.apply_isupport(&isupport);
    assert_eq!(channels.iter().count(), 2);
    assert_eq!(members(&channels, "#b"), ["+y", "@x{"]);
    assert_eq!(channels.of("X{"), ["#A{", "#b"].map(str::to_owned));
    channels.leave("#a{");
    channels.leave("#b");
    assert_eq!(channels.pool.len(), 0);
}

#[test]
fn invariant_4_a_narrower_casemapping_tells_apart_what_the_wider_one_merged() {
    let mut channels = filled(&["CASEMAPPING=rfc1459"], "a[1] b");
    channels.enter("#x[1]");
    let mut isupport = Isupport::default();
    isupport.apply(["CASEMAPPING=ascii"]);
    channels.apply_isupport(&isupport);
    assert!(channels.contains("#X[1]") && !channels.contains("#x{1}"));
    assert!(channels.get("#rust").unwrap().has("A[1]") && !channels.get("#rust").unwrap().has("a{1}"));
}

#[test]
fn modes_change_prefixes_and_the_key() {
    let (mut channels, isupport) = of(&["PREFIX=(ov)@+", "CHANMODES=eIbq,k,flj,CFLMPQScgimnprstuz"]);
    channels.enter("#rust");
    channels.collect_names("#rust", "@alice bob");
    channels.finish_names("#rust");
    channels.apply_modes("#rust", &modes("+ov-o+ntkq bob bob alice secret *!*@spam", &isupport));
    assert_eq!(members(&channels, "#rust"), ["@+bob", "alice"]);
    let view = channels.get("#rust").unwrap();
    assert_eq!(view.key(), Some("secret"));
    channels.apply_modes("#rust", &modes("-kn *", &isupport));
    assert_eq!(channels.get("#rust").unwrap().key(), None);
}

#[test]
fn modes_are_known_once_all_were_told_and_until_one_is_in_doubt() {
    let (mut channels, isupport) = of(&["CHANMODES=beI,k,l,imnpst"]);
    channels.enter("#rust");
    let has = |channels: &Channels, letter| channels.get("#rust").unwrap().has_mode(letter);
    channels.apply_modes("#rust", &modes("+i", &isupport));
    assert_eq!(has(&channels, 'i'), None, "others may be set, too");
    channels.clear_modes("#rust");
    channels.apply_modes("#rust", &modes("+ntk secret", &isupport));
    channels.apply_modes("#rust", &modes("+im-t+b *!*@spam", &isupport));
    let known = "iklmnt".chars().map(|letter| has(&channels, letter).unwrap());
    assert_eq!(known.collect::<Vec<_>>(), [true, true, false, true, true, false]);
    assert_eq!(has(&channels, 'b'), Some(false), "a list");
    channels.apply_modes("#rust", &modes("+Xi something", &isupport));
    assert_eq!(has(&channels, 'i'), None);
}

#[test]
fn prefix_bits_move_with_their_letters() {
    let (mut channels, mut isupport) = of(&["PREFIX=(ov)@+"]);
    channels.enter("#rust");
    channels.collect_names("#rust", "@alice +bob");
    channels.finish_names("#rust");
    isupport.apply(["PREFIX=(qohv)~@%+"]);
    channels.apply_isupport(&isupport);
    assert_eq!(members(&channels, "#rust"), ["+bob", "@alice"]);
}

#[test]
fn what_happens_while_names_come_in_is_not_lost() {
    let mut channels = filled(&[], "alice bob carol");
    channels.collect_names("#rust", "alice bob");
    channels.add("#rust", "dave");
    channels.remove("#rust", "bob");
    channels.collect_names("#rust", "carol");
    channels.finish_names("#rust");
    assert_eq!(members(&channels, "#rust"), ["alice", "carol", "dave"]);
}

/// Before NAMES have come whole, a QUIT looked only into the list before them.
#[test]
fn who_quits_while_names_come_in_is_gone() {
    let (mut channels, _) = of(&[]);
    channels.enter("#rust");
    channels.collect_names("#rust", "alice bob");
    assert_eq!(channels.remove_everywhere("bob"), ["#rust"]);
    assert_eq!(channels.rename("alice", "carol"), ["#rust"]);
    channels.finish_names("#rust");
    assert_eq!(members(&channels, "#rust"), ["carol"]);
}

#[test]
fn who_comes_back_after_a_quit_that_was_missed_has_no_status() {
    let mut channels = filled(&[], "alice @bob");
    channels.add("#rust", "bob");
    assert_eq!(members(&channels, "#rust"), ["alice", "bob"]);
}

#[test]
fn a_rename_onto_a_nick_that_was_thought_present_leaves_one() {
    let mut channels = filled(&[], "@alice +bob");
    assert_eq!(channels.rename("alice", "bob"), ["#rust"]);
    assert_eq!(members(&channels, "#rust"), ["@+bob"]);
    assert_eq!(channels.rename("bob", "BOB"), ["#rust"]);
    assert_eq!(members(&channels, "#rust"), ["@+BOB"]);
    channels.leave("#rust");
    assert_eq!(channels.pool.len(), 0);
}

#[test]
fn invariant_9_nothing_is_left_of_those_who_left() {
    let mut channels = filled(&[], "me");
    for round in 0..10_000 {
        let nick = format!("guest{round}");
        channels.add("#rust", &nick);
        channels.rename(&nick, &format!("{nick}_"));
        assert_eq!(channels.remove_everywhere(&format!("{nick}_")), ["#rust"]);
    }
    assert_eq!((channels.pool.len(), channels.pool.lock(CaseMapping::Rfc1459).capacity()), (1, 3));
}

#[test]
fn invariant_9_names_without_end_are_cut() {
    let (mut channels, _) = of(&[]);
    channels.enter("#big");
    for line in 0..=(MOST_MEMBERS / 100) {
        let names: Vec<_> = (0..100).map(|n| format!("n{line}x{n}")).collect();
        channels.collect_names("#big", &names.join(" "));
    }
    channels.collect_names("#big", &"x".repeat(5000));
    channels.finish_names("#big");
    assert_eq!(channels.get("#big").unwrap().member_count(), MOST_MEMBERS);
}

#[test]
fn invariant_9_many_large_channels_are_cut_too() {
    let (mut channels, _) = of(&[]);
    let names: Vec<_> = (0..50_000).map(|n| format!("n{n}")).collect();
    let names = names.join(" ");
    for number in 0..30 {
        let channel = format!("#c{number}");
        channels.enter(&channel);
        channels.collect_names(&channel, &names);
        channels.finish_names(&channel);
    }
    channels.add("#c29", "late");
    let all: usize = channels.iter().map(|view| view.member_count()).sum();
    assert_eq!(all, MOST_MEMBERSHIPS);
}

fn sharing(pool: &NickPool, names: &str) -> Channels {
    let mut isupport = Isupport::default();
    isupport.apply(["PREFIX=(ov)@+"]);
    let mut channels = Channels::new(pool.clone());
    channels.apply_isupport(&isupport);
    channels.enter("#rust");
    channels.collect_names("#rust", names);
    channels.finish_names("#rust");
    channels
}

#[test]
fn invariant_5_sessions_share_strings_and_nothing_else() {
    let pool = NickPool::default();
    let (mut one, mut other) = (sharing(&pool, "alice @bob carol"), sharing(&pool, "alice +bob carol"));
    assert_eq!(pool.len(), 3);
    // In a split each sees something else.
    one.rename("bob", "robert");
    other.remove_everywhere("carol");
    other.add("#rust", "dave");
    assert_eq!(members(&one, "#rust"), ["@robert", "alice", "carol"]);
    assert_eq!(members(&other, "#rust"), ["+bob", "alice", "dave"]);
    assert_eq!(pool.len(), 5);
    drop(one);
    assert_eq!(members(&other, "#rust"), ["+bob", "alice", "dave"]);
    assert_eq!(pool.len(), 3);
    drop(other);
    assert!(pool.is_empty());
}

#[test]
fn invariant_4_sessions_of_servers_with_other_casemappings_share_a_pool() {
    let pool = NickPool::default();
    let (one, mut other) = (sharing(&pool, "a[ A{"), sharing(&pool, "a[ A{"));
    let mut isupport = Isupport::default();
    isupport.apply(["CASEMAPPING=ascii"]);
    other.apply_isupport(&isupport);
    assert_eq!(one.get("#rust").unwrap().member_count(), 1);
    other.collect_names("#rust", "a[ A{");
    other.finish_names("#rust");
    assert_eq!(members(&other, "#rust"), ["A{", "a["]);
    drop((one, other));
    assert!(pool.is_empty());
}

proptest! {
    /// Whatever the order of events, a nick is kept if and only if a list names it.
    #[test]
    fn claims_and_lists_agree(steps in prop::collection::vec((0_u8..8, 0_u8..3, 0_u8..6, 0_u8..6), 1..120)) {
        let (mut channels, mut isupport) = of(&["CASEMAPPING=ascii"]);
        let nicks = ["a[", "a{", "B", "b", "c~", "c^"];
        let names = ["#x[", "#x{", "#y"];
        for (step, channel, nick, other) in steps {
            let (channel, nick, other) = (names[channel as usize], nicks[nick as usize], nicks[other as usize]);
            match step {
                0 => channels.enter(channel),
                1 => channels.add(channel, nick),
                2 => _ = channels.remove(channel, nick),
                3 => _ = channels.rename(nick, other),
                4 => channels.collect_names(channel, &format!("@{nick} {other}")),
                5 => _ = channels.finish_names(channel),
                6 => channels.leave(channel),
                _ => {
                    isupport.apply([["CASEMAPPING=ascii", "CASEMAPPING=rfc1459"][usize::from(nick < other)]]);
                    channels.apply_isupport(&isupport);
                }
            }
            for data in channels.map.values() {
                prop_assert!(data.members.iter().is_sorted_by(|a, b| a.nick < b.nick));
            }
            for view in channels.iter() {
                for (nick, _) in view.members() {
                    prop_assert!(view.has(&nick), "{nick}");
                }
            }
        }
        for channel in names {
            channels.leave(channel);
        }
        prop_assert_eq!(channels.pool.len(), 0);
    }
}
