//! The addresses to dial from: one for all, or one for each person out of a prefix.
//!
//! A person's address depends on nothing but the prefix and their number, so that it stays the same: a network that
//! bans one person's address bans nobody else.

use std::net::{IpAddr, Ipv6Addr};

/// The first addresses of a prefix are left to the machine itself.
const RESERVED: u128 = 0x100;

/// An address to dial from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// This one, for everybody.
    Address(IpAddr),
    /// One for each person.
    Prefix {
        /// The prefix, whose last bits are zero.
        prefix: Ipv6Addr,
        /// How many bits are given: 32 to 96.
        length: u8,
    },
}

impl Bind {
    /// Reads `192.0.2.7`, `2001:db8::7` or `2001:db8:1::/64`; says what is wrong otherwise.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some((prefix, length)) = text.split_once('/') else {
            let address = text.parse::<IpAddr>().ok().filter(|address| !address.is_unspecified());
            return address.map(Self::Address).ok_or(
                "it must be an IP address, such as 192.0.2.7, or an IPv6 prefix, such as 2001:db8:1::/64",
            );
        };
        let prefix =
            prefix.parse::<Ipv6Addr>().map_err(|_| "only an IPv6 prefix has an address for everybody")?;
        let length = length.parse::<u8>().ok().filter(|length| (32..=96).contains(length));
        let length = length.ok_or("its length must be from /32 to /96")?;
        if prefix.to_bits() << length != 0 {
            return Err("the bits after its length must be zero, as in 2001:db8:1::/64");
        }
        Ok(Self::Prefix { prefix, length })
    }

    /// The address of the person with this number.
    pub fn address(&self, person: i64) -> IpAddr {
        match self {
            Self::Address(address) => *address,
            Self::Prefix { prefix, length } => {
                let number = RESERVED.wrapping_add(person as u128);
                let mask = u128::MAX >> length;
                IpAddr::V6(Ipv6Addr::from_bits(prefix.to_bits() | (number & mask)))
            }
        }
    }

    /// Whether it is of the IPv6 family.
    pub fn is_ipv6(&self) -> bool {
        match self {
            Self::Address(address) => address.is_ipv6(),
            Self::Prefix { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::address("192.0.2.7", 1, "192.0.2.7")]
    #[case::address_v6("2001:db8::7", 1, "2001:db8::7")]
    #[case::prefix("2001:db8:1::/64", 1, "2001:db8:1::101")]
    #[case::another_person("2001:db8:1::/64", 70_000, "2001:db8:1::1:1270")]
    #[case::shorter("2001:db8::/32", 255, "2001:db8::1ff")]
    #[case::longest("2001:db8::/96", 1, "2001:db8::101")]
    fn a_person_has_an_address(#[case] text: &str, #[case] person: i64, #[case] address: &str) {
        assert_eq!(Bind::parse(text).unwrap().address(person).to_string(), address);
    }

    #[rstest]
    #[case::name("eth0")]
    #[case::ipv4_prefix("192.0.2.0/24")]
    #[case::too_long("2001:db8::/120")]
    #[case::too_short("2001:db8::/16")]
    #[case::no_length("2001:db8::/")]
    #[case::host_bits("2001:db8:1::1/64")]
    #[case::any("::")]
    #[case::empty("")]
    fn what_is_no_address_is_told(#[case] text: &str) {
        assert!(Bind::parse(text).is_err());
    }
}
