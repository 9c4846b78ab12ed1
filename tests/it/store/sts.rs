//! Hosts that want TLS.

use super::*;

#[tokio::test]
async fn a_host_that_wants_tls_is_remembered_until_it_no_longer_does() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    assert_eq!(store.sts_port("irc.example.org", 0).await.unwrap(), None);
    store.set_sts_port("IRC.example.org", 6697, 1_000, 0).await.unwrap();
    store.set_sts_port("other.example.org", 7000, 5_000, 0).await.unwrap();
    assert_eq!(store.sts_port("irc.Example.org", 999).await.unwrap(), Some(6697));
    assert_eq!(store.sts_port("irc.example.org", 1_000).await.unwrap(), None);
    // Said again, it holds for longer; said with no time, it no longer holds, and what is over goes.
    store.set_sts_port("irc.example.org", 6698, 2_000, 500).await.unwrap();
    assert_eq!(store.sts_port("irc.example.org", 1_500).await.unwrap(), Some(6698));
    store.set_sts_port("irc.example.org", 6698, 1_500, 1_500).await.unwrap();
    assert_eq!(store.sts_port("irc.example.org", 1_500).await.unwrap(), None);
    assert_eq!(database.texts("SELECT host FROM sts_policy").await, ["other.example.org"]);
}
