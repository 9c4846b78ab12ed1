//! The fake ircd's labels and history, as a client without any knowledge of ours gets them.

use super::RawClient;
use crate::support::ircd::{self, Ircd};

#[tokio::test]
async fn the_fake_ircd_labels_what_it_answers() {
    let ircd = Ircd::start(ircd::Options::with_history()).await;
    let bob = ircd.person("bob");
    bob.join("#rust");
    let mut ann = RawClient::connect(ircd.address(), "CAP LS 302\nNICK ann\nUSER ann 0 * :Ann").await;
    ann.say("CAP REQ :message-tags batch echo-message labeled-response\nCAP END").await;
    ann.hear(" 376 ").await;
    ann.say("@label=1 PONG x").await;
    assert_eq!(ann.hear("label=1").await, "@label=1 :fake.irc ACK");
    ann.say("@label=2 PRIVMSG #rust :x").await;
    ann.hear("@label=2 :fake.irc 404 ann #rust :").await;
    ann.say("@label=3 JOIN #rust").await;
    let begin = ann.hear("@label=3 ").await;
    let reference = begin.strip_prefix("@label=3 :fake.irc BATCH +").and_then(|rest| rest.split(' ').next());
    let reference = reference.unwrap_or_else(|| panic!("{begin}"));
    ann.hear(&format!("@batch={reference} :ann!~ann@127.0.0.1 JOIN #rust")).await;
    ann.hear(&format!("@batch={reference} :fake.irc 366 ann #rust")).await;
    ann.hear(&format!(":fake.irc BATCH -{reference}")).await;
    ann.say("@label=4 PRIVMSG #rust :hello").await;
    let echo = ann.hear("hello").await;
    assert!(echo.starts_with("@msgid=fake-") && echo.contains(";label=4 :ann!"), "{echo}");
    // To oneself the message comes twice, once as the echo.
    ann.say("@label=5 PRIVMSG ann :note").await;
    let (first, second) = (ann.hear("note").await, ann.hear("note").await);
    assert!(!first.contains("label=") && second.contains("label=5"), "{first}\n{second}");
    ircd.drop_echoes(true);
    ann.say("@label=6 PRIVMSG #rust :unseen").await;
    assert_eq!(ann.hear("label=6").await, "@label=6 :fake.irc ACK");
    assert_eq!(bob.messages("#rust").len(), 2);
}

#[tokio::test]
async fn the_fake_ircd_tells_what_was_said() {
    let ircd = Ircd::start(ircd::Options::with_history()).await;
    let bob = ircd.person("bob");
    bob.join("#rust");
    for n in 1..=60 {
        bob.say("#rust", &format!("line {n}"));
    }
    bob.say("ann", "nobody there");
    let mut ann = RawClient::connect(ircd.address(), "CAP LS 302\nNICK ann\nUSER ann 0 * :Ann").await;
    ann.say("CAP REQ :message-tags batch server-time labeled-response\nCAP END").await;
    ann.hear("CHATHISTORY=50 MSGREFTYPES=msgid,timestamp").await;
    ann.hear(" 376 ").await;
    ann.say("CHATHISTORY LATEST #rust * 5").await;
    ann.hear("FAIL CHATHISTORY INVALID_TARGET LATEST #rust :").await;
    ann.say("JOIN #rust").await;
    let said = history_of(&mut ann, "CHATHISTORY LATEST #rust * 3").await;
    assert_eq!(texts(&said), [58, 59, 60]);
    let id = said[0].split("msgid=").nth(1).unwrap().split([';', ' ']).next().unwrap().to_owned();
    let time = said[0].split("time=").nth(1).unwrap().split([';', ' ']).next().unwrap().to_owned();
    for (request, expected) in [
        (format!("AFTER #rust msgid={id} 50"), 59..=60),
        (format!("AFTER #RUST msgid={id} 1"), 59..=59),
        (format!("BEFORE #rust msgid={id} 2"), 56..=57),
        (format!("LATEST #rust msgid={id} 1"), 60..=60),
        ("AFTER #rust timestamp=2020-01-01T00:00:00.000Z 500".to_owned(), 1..=50),
        (format!("BETWEEN #rust timestamp=2020-01-01T00:00:00.000Z msgid={id} 2"), 1..=2),
        (format!("BETWEEN #rust msgid={id} timestamp=2020-01-01T00:00:00.000Z 2"), 56..=57),
    ] {
        let said = history_of(&mut ann, &format!("CHATHISTORY {request}")).await;
        assert_eq!(texts(&said), expected.collect::<Vec<u32>>(), "{request}");
    }
    assert!(history_of(&mut ann, &format!("CHATHISTORY BEFORE bob timestamp={time} 5")).await.len() <= 1);
    let query = history_of(&mut ann, "CHATHISTORY LATEST bob * 5").await;
    // Nobody was there to be told, and so nothing was said.
    assert_eq!(query, [""; 0]);
    bob.say("ann", "now there");
    assert_eq!(history_of(&mut ann, "CHATHISTORY LATEST bob * 5").await.len(), 1);
    for (request, failure) in [
        ("AFTER #rust msgid=nonsense 5", "MESSAGE_ERROR AFTER #rust"),
        ("AFTER #rust other=1 5", "INVALID_MSGREFTYPE AFTER #rust"),
        ("AFTER #rust timestamp=yesterday 5", "INVALID_PARAMS AFTER #rust"),
        ("AFTER #rust * 5", "INVALID_PARAMS AFTER #rust"),
        ("LATEST #rust * none", "INVALID_PARAMS LATEST #rust"),
        ("LATEST #rust", "NEED_MORE_PARAMS LATEST"),
        ("AROUND #rust * 5", "UNKNOWN_COMMAND AROUND"),
    ] {
        ann.say(&format!("@label=f CHATHISTORY {request}")).await;
        let line = ann.hear("FAIL CHATHISTORY").await;
        assert!(line.contains("label=f") && line.contains(failure), "{line}");
    }
    let range = "timestamp=2020-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z";
    ann.say(&format!("@label=t CHATHISTORY TARGETS {range} 10")).await;
    let begin = ann.hear("BATCH +").await;
    assert!(begin.contains("label=t ") && begin.ends_with(" draft/chathistory-targets"), "{begin}");
    ann.hear("CHATHISTORY TARGETS #rust 2").await;
    ann.hear("CHATHISTORY TARGETS bob 2").await;
    ann.hear("BATCH -").await;
    ircd.stall_history(true);
    ann.say("@label=s CHATHISTORY LATEST #rust * 5\nPING after").await;
    assert!(!ann.hear_all_until("PONG fake.irc :after").await.contains("label=s"));
}

/// The lines of a request's batch.
async fn history_of(client: &mut RawClient, request: &str) -> Vec<String> {
    client.say(&format!("@label=h {request}")).await;
    let begin = client.hear("label=h ").await;
    let reference = begin.split("BATCH +").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let all = client.hear_all_until(&format!("BATCH -{reference}")).await;
    let inside = all.lines().filter(|line| line.starts_with(&format!("@batch={reference};time=")));
    inside.map(str::to_owned).collect()
}

/// The numbers that were said.
fn texts(lines: &[String]) -> Vec<u32> {
    lines.iter().map(|line| line.split(":line ").nth(1).unwrap().parse().unwrap()).collect()
}
