//! Which addresses are not on the internet. Whoever may name a server must not reach what only the bridge's own machine
//! or network may reach, under whatever name or notation.

use std::net::IpAddr;

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
    #[case::public("93.184.216.34", false)]
    #[case::public_v6("2606:2800:220:1::1", false)]
    fn an_address_is_known_as_private(#[case] address: &str, #[case] private: bool) {
        assert_eq!(is_private(address.parse().unwrap()), private);
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
