//! Address ranges, and who a client is behind proxies.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use hyper::HeaderMap;
use hyper::header::HeaderName;

/// A range of addresses, written `10.0.0.0/8`, `fd00::/8` or as one address.
///
/// IPv4-mapped IPv6 addresses count as the IPv4 address they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    bits: u128,
    prefix: u8,
    v4: bool,
}

impl Cidr {
    /// Whether `address` is inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, v4) = widen(address);
        v4 == self.v4 && (bits ^ self.bits) & mask(self.prefix) == 0
    }
}

/// Why a text is no [`Cidr`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CidrFault(&'static str);

impl fmt::Display for CidrFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for CidrFault {}

impl FromStr for Cidr {
    type Err = CidrFault;

    fn from_str(text: &str) -> Result<Cidr, CidrFault> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrFault("not an IP address"))?;
        let (bits, v4) = widen(address);
        // A mapped address may carry an IPv6 prefix; it is counted from the front, as written.
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => 128,
            Some(digits) => {
                let prefix: u8 = digits.parse().map_err(|_| CidrFault("not a prefix length"))?;
                if prefix > width {
                    return Err(CidrFault("a prefix longer than the address"));
                }
                prefix + (128 - width)
            }
        };
        if v4 && prefix < 96 {
            return Err(CidrFault("a prefix that spans more than the IPv4 addresses"));
        }
        if bits & !mask(prefix) != 0 {
            return Err(CidrFault("an address with bits set behind its prefix"));
        }
        Ok(Cidr { bits, prefix, v4 })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from(self.bits).to_canonical();
        let prefix = if self.v4 { self.prefix - 96 } else { self.prefix };
        write!(f, "{address}/{prefix}")
    }
}

/// Who asks. `X-Forwarded-For` counts only when `peer` is trusted: it is read from the right, over
/// trusted hops, to the first that is not; an entry that is no address ends the search there.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let peer = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(peer, trusted) {
        return peer;
    }
    const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
    let mut client = peer;
    for line in headers.get_all(FORWARDED).iter().rev() {
        let Ok(line) = line.to_str() else { return client };
        for hop in line.rsplit(',') {
            let Some(address) = hop_address(hop.trim()) else { return client };
            client = address;
            if !is_trusted(address, trusted) {
                return client;
            }
        }
    }
    client
}

/// Whether `address` is in one of the ranges.
pub(super) fn is_trusted(address: IpAddr, trusted: &[Cidr]) -> bool {
    trusted.iter().any(|range| range.contains(address))
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn hop_address(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|a| a.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>().map(IpAddr::V6));
    address.ok().map(|a| a.to_canonical())
}

fn widen(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), true),
        IpAddr::V6(v6) => (v6.to_bits(), false),
    }
}

fn mask(prefix: u8) -> u128 {
    match prefix {
        0 => 0,
        n => u128::MAX << (128 - u32::from(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_contain_what_they_should() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/25", "::ffff:192.0.2.127", "192.0.2.128"),
        ] {
            assert!(cidr(range).contains(ip(inside)), "{range} {inside}");
            assert!(!cidr(range).contains(ip(outside)), "{range} {outside}");
            assert_eq!(cidr(&cidr(range).to_string()), cidr(range));
        }
    }

    #[test]
    fn wrong_ranges_are_refused() {
        for text in
            ["", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "10.0.0.0/-1", "10.0.0/8", "a/8", "::ffff:0:0/90"]
        {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_not_trusted() {
        let trusted = [cidr("10.0.0.0/8"), cidr("fd00::/8")];
        for (peer, lines, expected) in [
            ("198.51.100.1", &["1.2.3.4"][..], "198.51.100.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4:5555"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4, junk, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            assert_eq!(client(ip(peer), &headers, &trusted), ip(expected), "{peer} {lines:?}");
        }
    }
}
