//! Which addresses are not on the internet. Whoever may name a server must not reach what only the bridge's own machine
//! or network may reach, under whatever name or notation.

use std::net::IpAddr;
use std::sync::Arc;

/// Where connections may lead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reach {
    /// To any address: an administrator has named the server, and says that it may be a private one.
    Anywhere,
    /// To addresses of the internet.
    Internet,
    /// To those, and to private ones that are named here: some user has named the server.
    InternetAnd(Arc<[Range]>),
}

impl Reach {
    /// Whether there may be a connection to this address.
    pub fn allows(&self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Internet => !is_private(address),
            Self::InternetAnd(ranges) => {
                !is_private(address) || ranges.iter().any(|range| range.contains(address))
            }
        }
    }

    /// Whether a host may be one of these addresses, as far as its name tells. What it resolves to is seen when it is
    /// dialled.
    pub fn may_allow(&self, host: &str) -> bool {
        match host.parse::<IpAddr>() {
            Ok(address) => self.allows(address),
            Err(_) if is_local_name(host) => {
                self.allows(IpAddr::from([127, 0, 0, 1])) || self.allows(std::net::Ipv6Addr::LOCALHOST.into())
            }
            Err(_) => true,
        }
    }
}

/// The addresses that begin with the same bits, as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    first: IpAddr,
    length: u8,
}

impl Range {
    /// Reads `10.0.0.0/8`, `fd00::/8` or a single address. Bits behind the length must be zero, and an IPv4 address is
    /// written as such.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, length) =
            text.split_once('/').map_or((text, None), |(first, length)| (first, Some(length)));
        let first = first.parse::<IpAddr>().ok().filter(|first| *first == first.to_canonical())?;
        let longest = if first.is_ipv6() { 128 } else { 32 };
        let length = length.map_or(Some(longest), |length| length.parse().ok())?;
        let rest = match first {
            IpAddr::V4(first) => first.to_bits().checked_shl(length.into()).unwrap_or(0) != 0,
            IpAddr::V6(first) => first.to_bits().checked_shl(length.into()).unwrap_or(0) != 0,
        };
        (length <= longest && !rest).then_some(Self { first, length })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let length = u32::from(self.length);
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(other)) => {
                (first.to_bits() ^ other.to_bits()).checked_shr(32 - length).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(other)) => {
                (first.to_bits() ^ other.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Whether an address is one that the internet does not route: loopback, private, link-local, shared, unique local,
/// site-local, documentation, multicast, or one of these written as IPv6.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                // Carriers' own (RFC 6598) and benchmarks (RFC 2544).
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                // Protocol assignments (RFC 6890).
                || (a, b, c) == (192, 0, 0)
        }
        IpAddr::V6(v6) => {
            let [first, second, third, fourth, ..] = v6.segments();
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                // Site-local: deprecated by RFC 3879, and still routed within some networks. Discarded (RFC 6666).
                || first & 0xffc0 == 0xfec0
                || (first, second, third, fourth) == (0x100, 0, 0, 0)
                // An IPv4 address within an IPv6 one, as it was written before it was mapped (RFC 4291, RFC 2765).
                || (first, second, third, fourth) == (0, 0, 0, 0)
                // Teredo, which leads to IPv4 addresses as well.
                || (first, second) == (0x2001, 0)
                // NAT64 and 6to4 lead to IPv4 addresses of somebody's choice; documentation.
                || (first == 0x64 && second == 0xff9b)
                || first == 0x2002
                || (first == 0x2001 && second == 0xdb8)
        }
    }
}

/// Whether a name is this machine's own, wherever it is resolved.
pub(crate) fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::loopback("127.0.0.1", true)]
    #[case::loopback_v6("::1", true)]
    #[case::loopback_as_v6("::ffff:127.0.0.1", true)]
    #[case::private("192.168.1.1", true)]
    #[case::carriers("100.64.0.1", true)]
    #[case::link_local("169.254.169.254", true)]
    #[case::this_host("0.0.0.0", true)]
    #[case::unique_local("fd00::1", true)]
    #[case::nat64("64:ff9b::7f00:1", true)]
    #[case::six_to_four("2002:7f00:1::1", true)]
    #[case::protocol_assignments("192.0.0.170", true)]
    #[case::site_local("fec0::1", true)]
    #[case::end_of_site_local("feff:ffff::1", true)]
    #[case::discarded("100::1", true)]
    #[case::beside_what_is_discarded("100:0:0:1::1", false)]
    #[case::beside_protocol_assignments("192.0.1.1", false)]
    #[case::compatible("::127.0.0.1", true)]
    #[case::translated("::ffff:0:127.0.0.1", true)]
    #[case::teredo("2001::1", true)]
    #[case::public("93.184.216.34", false)]
    #[case::public_v6("2606:2800:220:1::1", false)]
    fn an_address_is_known_as_private(#[case] address: &str, #[case] private: bool) {
        assert_eq!(is_private(address.parse().unwrap()), private);
    }

    #[rstest::rstest]
    #[case::within("127.0.0.0/8", "127.9.9.9", true)]
    #[case::beside("127.0.0.0/9", "127.128.0.1", false)]
    #[case::one("10.1.2.3", "10.1.2.3", true)]
    #[case::another("10.1.2.3", "10.1.2.4", false)]
    #[case::mapped("127.0.0.0/8", "::ffff:127.0.0.1", true)]
    #[case::of_the_other_family("127.0.0.0/8", "::1", false)]
    #[case::v6("fd00::/8", "fdff::1", true)]
    #[case::beside_v6("fd00::/16", "fd01::1", false)]
    #[case::all("0.0.0.0/0", "10.0.0.1", true)]
    #[case::public_ones_are_always_allowed("10.0.0.0/8", "93.184.216.34", true)]
    fn what_users_name_reaches_the_internet_and_the_ranges_that_are_allowed(
        #[case] range: &str,
        #[case] address: &str,
        #[case] allowed: bool,
    ) {
        let reach = Reach::InternetAnd([Range::parse(range).unwrap()].into());
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(reach.allows(address), allowed);
        assert!(Reach::Anywhere.allows(address));
        assert_eq!(Reach::Internet.allows(address), !is_private(address));
    }

    #[rstest::rstest]
    #[case::name("localhost")]
    #[case::host_bits("127.0.0.1/8")]
    #[case::too_long("127.0.0.1/33")]
    #[case::too_long_v6("::1/129")]
    #[case::mapped("::ffff:127.0.0.0/104")]
    #[case::no_length("127.0.0.0/")]
    #[case::nothing("")]
    fn what_is_no_range_is_refused(#[case] text: &str) {
        assert_eq!(Range::parse(text), None);
    }

    #[rstest::rstest]
    #[case("irc.example.org", true)]
    #[case("192.168.1.1", false)]
    #[case("localhost", false)]
    #[case("93.184.216.34", true)]
    #[case("::1", false)]
    fn a_host_may_tell_by_its_name_that_it_is_private(#[case] host: &str, #[case] allowed: bool) {
        assert_eq!(Reach::InternetAnd([].into()).may_allow(host), allowed);
    }

    #[rstest::rstest]
    #[case("localhost", true)]
    #[case("LocalHost.", true)]
    #[case("irc.localhost", true)]
    #[case("localhost.example.org", false)]
    fn a_name_is_known_as_local(#[case] host: &str, #[case] local: bool) {
        assert_eq!(is_local_name(host), local);
    }
}
