//! The values of `media`: a base URL that people can open, and a port for it.

use std::net::SocketAddr;

use super::resolve::Resolver;
use super::{History, Media, raw};

pub(super) fn resolve(resolver: &mut Resolver<'_>, raw: raw::Media, homeserver: SocketAddr) -> Option<Media> {
    let listen = raw.listen.and_then(|text| text.parse::<SocketAddr>().ok());
    let listen = listen.filter(|address| address.port() != 0);
    if listen.is_none() && !resolver.report.knows("media.listen") {
        resolver.report.add("media.listen", "it must be an IP address and a port, such as 127.0.0.1:9010");
    }
    let base_url = resolver.url(raw.base_url?, "media.base_url");
    // A `;` or `)` would end the link in some clients.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:.-_~[]%".contains(c);
    if !base_url.chars().all(is_plain) && !resolver.report.knows("media.base_url") {
        resolver.report.add("media.base_url", "only letters, digits and / . - _ ~ may stand in its path");
    }
    if listen == Some(homeserver) {
        resolver.report.add("media.listen", "it must differ from `appservice.listen`");
    }
    Some(Media {
        base_url,
        listen: listen?,
        largest: raw.largest.unwrap_or_default(),
        expire: raw.expire.map_or(History::Keep, History::of_days),
        parallel: raw.parallel.unwrap_or_default(),
    })
}
