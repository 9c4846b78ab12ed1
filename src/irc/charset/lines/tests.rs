use super::super::tests::all;
use super::*;
use encoding_rs::{ISO_2022_JP, KOI8_R, SHIFT_JIS, WINDOWS_1251};
use proptest::prelude::*;
use rstest::rstest;

fn charset(text: &str) -> Charset {
    text.parse().unwrap()
}

/// A user's choices: `network #channel=koi8-r`.
fn charsets(chosen: &str) -> Charsets {
    let mut charsets = Charsets::new(None);
    let (mut network, mut targets) = (None, CaseMap::default());
    for choice in chosen.split(", ").filter(|choice| !choice.is_empty()) {
        match choice.split_once('=') {
            Some((target, label)) => _ = targets.insert(target, charset(label)),
            None => network = Some(charset(choice)),
        }
    }
    charsets.choose(network, targets, []);
    charsets
}

fn read(charsets: &mut Charsets, line: &[u8]) -> String {
    charsets.read(line).unwrap()
}

fn written(charsets: &mut Charsets, line: &str) -> Vec<u8> {
    let mut bytes = b"before\r\n".to_vec();
    charsets.write(&Line::raw(line).unwrap(), &mut bytes);
    let line = bytes.strip_prefix(b"before\r\n").unwrap().strip_suffix(b"\r\n").unwrap();
    assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    line.to_vec()
}

/// Before, a password was sent to NickServ in the network's charset, with a sign for each letter that it lacks.
#[rstest]
#[case::the_networks("koi8-r")]
#[case::the_services("NickServ=koi8-r")]
#[case::that_escapes("iso-2022-jp")]
fn a_line_in_utf_8_is_that_in_every_charset(#[case] chosen: &str) {
    let line = Line::raw("PRIVMSG NickServ :IDENTIFY pässпароль").unwrap();
    let mut bytes = Vec::new();
    charsets(chosen).write(&line.clone().in_utf_8(), &mut bytes);
    assert_eq!(bytes, line.as_bytes());
    assert_ne!(written(&mut charsets(chosen), line.as_str()), line.as_str().as_bytes());
}

/// Before, what a channel's operators were told there was read as whoever showed it had chosen.
#[rstest]
#[case::to_all("#tea")]
#[case::to_the_operators("@#tea")]
#[case::to_several_ranks("@+#tea")]
fn what_is_said_in_a_shared_channel_is_read_as_the_configuration_says(#[case] target: &str) {
    let mut charsets = charsets("koi8-r, #tea=koi8-r");
    let mut shared = CaseMap::default();
    shared.insert("#Tea", ());
    charsets.share(shared);
    let said = |target: &str| [b":a NOTICE ", target.as_bytes(), b" :caf\xe9"].concat();
    assert_eq!(read(&mut charsets, &said(target)), format!(":a NOTICE {target} :café"));
    assert_eq!(read(&mut charsets, &said("#pot")), ":a NOTICE #pot :cafИ");
}

#[rstest]
#[case::utf_8("", ":a PRIVMSG #b :é".as_bytes(), ":a PRIVMSG #b :é")]
#[case::windows_1252("", b":a PRIVMSG #b :\xe9", ":a PRIVMSG #b :é")]
#[case::the_networks("koi8-r", b":a PRIVMSG #b :\xc1", ":a PRIVMSG #b :а")]
#[case::the_channels("koi8-r, #B=cp1251", b":a PRIVMSG #b :\xe0", ":a PRIVMSG #b :а")]
#[case::utf_8_wins("#b=koi8-r", ":a PRIVMSG #b :é".as_bytes(), ":a PRIVMSG #b :é")]
#[case::only_to_read("#b=koi8-r read", b":a PRIVMSG #b :\xc1", ":a PRIVMSG #b :а")]
#[case::another_channel("#b=koi8-r", b":a PRIVMSG #c :\xc1", ":a PRIVMSG #c :Á")]
#[case::for_the_operators("#b=koi8-r", b":a PRIVMSG @#b :\xc1", ":a PRIVMSG @#b :а")]
#[case::for_voices("+b=koi8-r", b":a PRIVMSG @+b :\xc1", ":a PRIVMSG @+b :а")]
#[case::for_several_ranks("#b=koi8-r", b":a PRIVMSG @%#b :\xc1", ":a PRIVMSG @%#b :а")]
#[case::with_an_id("!12345b=koi8-r", b":a PRIVMSG @!12345b :\xc1", ":a PRIVMSG @!12345b :а")]
#[case::a_nick_that_begins_so("bob=koi8-r", b":~bob!b@h PRIVMSG alice :\xc1", ":~bob!b@h PRIVMSG alice :Á")]
#[case::a_query("bob=koi8-r", b":bob!b@h PRIVMSG alice :\xc1", ":bob!b@h PRIVMSG alice :а")]
#[case::a_query_is_no_channel("bob=koi8-r", b":bob!b@h PRIVMSG #b :\xc1", ":bob!b@h PRIVMSG #b :Á")]
#[case::our_side_of_a_query("bob=koi8-r", b":alice PRIVMSG bob :\xc1", ":alice PRIVMSG bob :а")]
#[case::without_a_colon("#b=koi8-r", b":a PRIVMSG #b \xc1", ":a PRIVMSG #b а")]
#[case::a_topic("#b=koi8-r", b":s 332 alice #b :\xc1 \xc2", ":s 332 alice #b :а б")]
#[case::a_kick("#b=koi8-r", b":a KICK #b bob :\xc1", ":a KICK #b bob :а")]
#[case::a_reason_to_part("#b=koi8-r", b":a PART #b :\xc1", ":a PART #b :а")]
#[case::a_reason_to_quit("koi8-r", b":a QUIT :\xc1 \xc2", ":a QUIT :а б")]
#[case::tags(
    "#b=koi8-r",
    b"@time=2026-11-21T00:00:00Z;x=\xc3\xa9 :a!b@c PRIVMSG #b :\xc1",
    "@time=2026-11-21T00:00:00Z;x=é :a!b@c PRIVMSG #b :а"
)]
#[case::a_nick_is_no_text("#b=koi8-r", b":\xe9!b@c PRIVMSG #b :\xc1", ":é!b@c PRIVMSG #b :а")]
#[case::names_one_by_one("koi8-r", b":s 353 alice = #b :@\xc1 \xc3\xa9 x", ":s 353 alice = #b :@а é x")]
#[case::japanese_looks_like_ascii(
    "#b=iso-2022-jp",
    b":a PRIVMSG #b :\x1b$BF|K\\\x1b(B \x02a\x0f b",
    ":a PRIVMSG #b :日本 \x02a\x0f b"
)]
#[case::not_japanese_elsewhere("#b=iso-2022-jp", b":a PRIVMSG #c :\x1b$BF|", ":a PRIVMSG #c :\x1b$BF|")]
#[case::a_channel_in_japanese("iso-2022-jp", b":a JOIN #\x1b$BF|K\\\x1b(B", ":a JOIN #日本")]
#[case::ascii_in_disguise("iso-2022-jp", b":a JOIN #\x1b(Brust", ":a JOIN #\x1b(Brust")]
#[case::no_colon_from_nothing("iso-2022-jp", b"MODE #a +k \x1b(B:x b", "MODE #a +k \x1b(B:x b")]
#[case::a_backslash_in_a_letter("#b=shift_jis", b":a PRIVMSG #b :\x95\x5c", ":a PRIVMSG #b :表")]
#[case::utf_8_as_a_choice_to_read("utf-8, #b=utf-8", b":a PRIVMSG #b :\xe9", ":a PRIVMSG #b :é")]
fn a_line_is_read_by_the_charset_of_its_place(
    #[case] chosen: &str,
    #[case] line: &[u8],
    #[case] expected: &str,
) {
    assert_eq!(read(&mut charsets(chosen), line), expected);
}

#[rstest]
#[case::utf_8("", "PRIVMSG #b :а", "PRIVMSG #b :а".as_bytes())]
#[case::the_channels("#b=koi8-r", "PRIVMSG #B :а 👋", b"PRIVMSG #B :\xc1 ?")]
#[case::another_channel("#b=koi8-r", "PRIVMSG #c :а", "PRIVMSG #c :а".as_bytes())]
#[case::the_networks("koi8-r", "PRIVMSG #c :а", b"PRIVMSG #c :\xc1")]
#[case::utf_8_in_a_channel("koi8-r, #c=utf-8", "PRIVMSG #c :а", "PRIVMSG #c :а".as_bytes())]
#[case::only_to_read("#b=koi8-r read", "PRIVMSG #b :а", "PRIVMSG #b :а".as_bytes())]
#[case::only_to_read_in_a_channel("koi8-r, #b=cp1251 read", "PRIVMSG #b :а", "PRIVMSG #b :а".as_bytes())]
#[case::tags_are_utf_8("#b=koi8-r", "@+reply=é PRIVMSG #b :а", b"@+reply=\xc3\xa9 PRIVMSG #b :\xc1")]
#[case::a_topic("#b=koi8-r", "TOPIC #b :а", b"TOPIC #b :\xc1")]
#[case::a_name_is_the_networks("#b=koi8-r", "JOIN #а", "JOIN #а".as_bytes())]
#[case::names("koi8-r", "JOIN #а,#б к", b"JOIN #\xc1,#\xc2 \xcb")]
#[case::a_name_that_it_lacks("koi8-r", "JOIN #а,#日", b"JOIN #\xc1,#\xe6\x97\xa5")]
#[case::a_name_that_would_fall_apart("iso-2022-jp", "JOIN #が", "JOIN #が".as_bytes())]
#[case::for_the_operators("#b=koi8-r", "PRIVMSG @#b :а", b"PRIVMSG @#b :\xc1")]
#[case::a_reason_to_quit("koi8-r", "QUIT :пока", b"QUIT :\xd0\xcf\xcb\xc1")]
#[case::a_password("koi8-r", "PASS :а", "PASS :а".as_bytes())]
#[case::a_switch_of_alphabets("#b=iso-2022-jp", "PRIVMSG #b :\x1b$Ba", b"PRIVMSG #b :$Ba")]
fn a_line_is_written_in_the_charset_of_its_place(
    #[case] chosen: &str,
    #[case] line: &str,
    #[case] bytes: &[u8],
) {
    assert_eq!(written(&mut charsets(chosen), line), bytes);
}

#[test]
fn a_server_that_takes_only_utf_8_gets_nothing_else_and_is_read_all_the_same() {
    let mut charsets = charsets("koi8-r, #b=cp1251");
    charsets.set_utf8_only(true);
    assert_eq!(written(&mut charsets, "PRIVMSG #b :а"), "PRIVMSG #b :а".as_bytes());
    assert_eq!((charsets.writing("#b"), charsets.name_length("#а")), (UTF_8, 3));
    assert_eq!(read(&mut charsets, b":a PRIVMSG #b :\xe0"), ":a PRIVMSG #b :а");
}

#[test]
fn the_last_charset_of_a_name_is_the_one_that_it_is_written_in() {
    let mut charsets = charsets("koi8-r read");
    assert_eq!(read(&mut charsets, b":a JOIN #\xc1\r"), ":a JOIN #а");
    assert_eq!(charsets.charset_of_name("#а"), Some(KOI8_R));
    assert_eq!(written(&mut charsets, "PRIVMSG @#а :а"), b"PRIVMSG @#\xc1 :\xd0\xb0");
    read(&mut charsets, ":a JOIN #а".as_bytes());
    assert_eq!(written(&mut charsets, "JOIN #а"), "JOIN #а".as_bytes());
    assert_eq!((charsets.charset_of_name("#а"), charsets.charset_of_name("#a")), (Some(UTF_8), None));
}

/// Anybody could have what is said in one channel delivered to another.
#[test]
fn a_name_that_somebody_only_speaks_of_changes_nothing() {
    let mut charsets = charsets("");
    read(&mut charsets, ":a JOIN #café".as_bytes());
    for line in
        [&b":m INVITE a #caf\xe9"[..], b":s 322 a #caf\xe9 3 :topic", b":s 403 a #caf\xe9 :No such channel"]
    {
        read(&mut charsets, line);
        assert_eq!(written(&mut charsets, "PRIVMSG #café :x"), "PRIVMSG #café :x".as_bytes());
        assert_eq!(written(&mut charsets, "JOIN #café"), "JOIN #café".as_bytes());
    }
    read(&mut charsets, b":a JOIN #caf\xe9");
    assert_eq!(written(&mut charsets, "JOIN #café"), b"JOIN #caf\xe9");
}

#[test]
fn a_name_from_an_earlier_connection_is_written_as_it_came_then() {
    let mut charsets = charsets("");
    charsets.choose(None, CaseMap::default(), [("#а".into(), KOI8_R), ("#б".into(), UTF_8)]);
    assert_eq!(written(&mut charsets, "JOIN #а,#б"), b"JOIN #\xc1,#\xd0\xb1");
    assert_eq!(charsets.name_length("#а,#б"), 6);
}

#[test]
fn invariant_9_so_many_names_are_remembered_and_the_latest_are() {
    let mut charsets = charsets("");
    for number in 0..10 * MOST_NAMES {
        read(
            &mut charsets,
            format!(":{number} JOIN #").into_bytes().into_iter().chain([0xe9]).collect::<Vec<_>>().as_slice(),
        );
        let name = [format!("#{number}").into_bytes(), vec![0xe9]].concat();
        read(&mut charsets, &[b":a JOIN ", &name[..]].concat());
        assert!(charsets.lately.len() + charsets.before.len() <= 2 * MOST_NAMES);
        assert_eq!(written(&mut charsets, &format!("PART #{number}é")), [b"PART ", &name[..]].concat());
    }
}

#[test]
fn invariant_9_what_is_too_long_to_be_a_name_is_not_remembered() {
    let mut charsets = charsets("");
    read(&mut charsets, &[b":a JOIN #", &[0xe9; LONGEST_NAME][..]].concat());
    assert_eq!(charsets.lately.len(), 0);
}

#[rstest]
#[case::koi8_r("koi8-r", "её", "ţ")]
#[case::gb18030("gb18030", "哦", "Ŷ")]
#[case::euc_kr("euc-kr", "체", "ü")]
#[case::windows_1251("windows-1251", "кії", "곿")]
fn what_was_written_and_looks_like_utf_8_is_read_as_it_was_written(
    #[case] label: &str,
    #[case] text: &str,
    #[case] looks: &str,
) {
    let mut charsets = charsets(&format!("#b={label}"));
    let line = written(&mut charsets, &format!("PRIVMSG #b :{text}"));
    assert_eq!(line, format!("PRIVMSG #b :{looks}").into_bytes());
    let echo = [b":alice!a@h ", &line[..]].concat();
    assert_eq!(read(&mut charsets, &echo), format!(":alice!a@h PRIVMSG #b :{text}"));
    let line = format!(":bob!b@h PRIVMSG #c :{looks}");
    assert_eq!(read(&mut charsets, line.as_bytes()), line, "elsewhere it is what it looks like");
    // Also when the charset was changed before it came back.
    charsets.choose(None, CaseMap::default(), []);
    assert_eq!(read(&mut charsets, &echo), format!(":alice!a@h PRIVMSG #b :{text}"));
    for number in 0..MOST_TEXTS {
        charsets.choose(Some(charset(label)), CaseMap::default(), []);
        written(&mut charsets, &format!("PRIVMSG #b :{text}{number}"));
        assert!(charsets.written.len() <= MOST_TEXTS, "invariant 9");
    }
    assert_eq!(read(&mut charsets, &echo), format!(":alice!a@h PRIVMSG #b :{looks}"));
}

proptest! {
    #[test]
    fn what_was_written_is_read_as_it_is_shown_to_the_user(
        text in "[а-яё哦牛一체-쳃Ŷţü€ｱ日👋a-z\\~¥‾\u{2}\u{f}]{1,24}",
        which in any::<prop::sample::Index>(),
        query in any::<bool>(),
    ) {
        let encodings = all();
        let encoding = encodings[which.index(encodings.len())];
        let (mut targets, target) = (CaseMap::default(), if query { "bob" } else { "#b" });
        targets.insert(target, Charset::new(encoding, true));
        let mut charsets = charsets("");
        charsets.choose(None, targets, []);
        let line = written(&mut charsets, &format!("PRIVMSG {target} :{text}"));
        let echo = read(&mut charsets, &[b":alice!a@h ", &line[..]].concat());
        let shown = super::super::as_written(encoding, &text).0;
        prop_assert_eq!(echo, format!(":alice!a@h PRIVMSG {target} :{shown}"));
    }

    #[test]
    fn whatever_bytes_a_name_has_it_goes_back_as_them(
        name in "[a-z]{0,3}([\u{80}-\u{ff}]|é|日|а|\u{1b}|[$(]|B){1,12}",
        bytes in any::<bool>(),
        which in any::<prop::sample::Index>(),
        mode in "( read)?",
    ) {
        // Half of them as single bytes, half as UTF-8.
        let raw: Vec<u8> = if bytes {
            name.chars().flat_map(|c| u8::try_from(u32::from(c)).map_or_else(|_| c.to_string().into_bytes(), |b| vec![b])).collect()
        } else {
            name.into_bytes()
        };
        let encodings = all();
        let network = charset(&format!("{}{mode}", encodings[which.index(encodings.len())].name()));
        let mut charsets = charsets("");
        charsets.choose(Some(network), CaseMap::default(), []);
        for verb in ["JOIN ", "JOIN :", "PRIVMSG alice :"] {
            let line = if verb.starts_with("JOIN") {
                [b":bob!b@h ", verb.as_bytes(), b"#", &raw].concat()
            } else {
                [b":#", &raw[..], b"!b@h ", verb.as_bytes(), b"x"].concat()
            };
            let text = read(&mut charsets, &line);
            let message = crate::irc::wire::Message::parse(&text).unwrap();
            let shown = if verb.starts_with("JOIN") { message.param(0).to_owned() } else { message.source.unwrap().nick };
            let line = written(&mut charsets, &format!("PART {shown}"));
            prop_assert_eq!(line, [b"PART #", &raw[..]].concat(), "{} {:?}", network, shown);
        }
    }

    #[test]
    fn invariant_3_whatever_is_typed_is_one_line(
        text in "(\\PC|[\u{0}-\u{1f}]|\u{1b}\\$B|日|ｱ|¥|é|\u{85}|\u{2028}){0,40}",
        which in any::<prop::sample::Index>(),
    ) {
        let encodings = all();
        let encoding = encodings[which.index(encodings.len())];
        let mut targets = CaseMap::default();
        targets.insert("#b", Charset::new(encoding, true));
        let mut charsets = charsets("");
        charsets.choose(Some(Charset::new(encoding, true)), targets, []);
        for line in [
            Line::new("PRIVMSG").name_literal("#b").trailing(&text),
            Line::raw(&text),
            Ok(Line::quit(&text)),
            Ok(Line::new("JOIN").name_literal(&text).finish()),
        ].into_iter().flatten() {
            let mut bytes = Vec::new();
            charsets.write(&line, &mut bytes);
            let (line, end) = bytes.split_at(bytes.len() - 2);
            prop_assert_eq!(end, b"\r\n");
            prop_assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
    }

    #[test]
    fn whatever_comes_is_one_line_and_a_nick_is_the_same_in_all_places(
        nick in prop::collection::vec(0x80_u8..=0xff, 1..8),
        text in prop::collection::vec(any::<u8>(), 0..40),
        which in any::<prop::sample::Index>(),
    ) {
        let encodings = all();
        let encoding = encodings[which.index(encodings.len())];
        let mut charsets = charsets("#b=koi8-r, #c=shift_jis, #d=iso-2022-jp");
        charsets.choose(Some(Charset::new(encoding, false)), charsets.targets.clone(), []);
        let mut nicks = Vec::new();
        for place in ["PRIVMSG #a :", "PRIVMSG #b :", "PRIVMSG #c :", "PRIVMSG #d :", "QUIT :"] {
            let line = [b":", &nick[..], b"!u@h ", place.as_bytes(), &text].concat();
            let line = read(&mut charsets, &line);
            prop_assert!(!line.contains(['\r', '\n', '\0']));
            nicks.push(crate::irc::wire::Message::parse(&line).unwrap().source.unwrap().nick);
        }
        nicks.dedup();
        prop_assert_eq!(nicks.len(), 1);
    }
}

#[test]
fn a_charset_of_two_bytes_is_read_where_its_second_byte_is_a_sign_of_irc() {
    // 0x40 is the `@` of statuses, 0x21 the `!` before a user, 0x3a the `:` of a text, 0x2c the `,` of lists.
    let mut charsets = charsets("shift_jis, #j=iso-2022-jp");
    let line = [b":\x83\x40!u@h JOIN #\x83\x40".to_vec(), Vec::new()].concat();
    assert_eq!(read(&mut charsets, &line), ":ァ!u@h JOIN #ァ");
    assert_eq!(written(&mut charsets, "PART #ァ"), b"PART #\x83\x40");
    assert_eq!(charsets.charset_of_name("#ァ"), Some(SHIFT_JIS));
    // `$!` is a small tsu's neighbour, `$,` a ga: both stand in text.
    let line = b":a PRIVMSG #j :\x1b$B$!$,\x1b(B";
    assert_eq!(read(&mut charsets, line), ":a PRIVMSG #j :ぁが");
    assert_eq!(written(&mut charsets, "PRIVMSG #j :ぁが"), b"PRIVMSG #j :\x1b$B$!$,\x1b(B");
    assert_eq!((charsets.writing("#j"), charsets.writing("#k")), (ISO_2022_JP, SHIFT_JIS));
    assert_ne!(charsets.writing("#k"), WINDOWS_1251);
}
