//! Where nobody outside may send this server: to the machine itself, to networks that are not public, to what clouds
//! tell only their own machines.
//!
//! Every address that a name leads to is judged, and the one that was judged is the one that is connected to: a name that
//! leads elsewhere the next time changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gomer_net::http::Cidr;

use super::Unanswered;

/// Ports of public addresses that are asked unless settings say otherwise.
pub const USUAL_PORTS: [u16; 4] = [80, 443, 8080, 8443];

/// What the operator lets through.
#[derive(Debug, Clone)]
pub struct Guard {
    allow: Vec<Cidr>,
    ports: Vec<u16>,
}

impl Default for Guard {
    fn default() -> Guard {
        Guard::new(Vec::new(), USUAL_PORTS.to_vec())
    }
}

impl Guard {
    /// A guard that lets through what is public, on these ports; and addresses in `allow`, on any port.
    pub fn new(allow: Vec<Cidr>, ports: Vec<u16>) -> Guard {
        Guard { allow, ports }
    }

    /// Whether an address may be connected to.
    pub fn admit(&self, address: IpAddr, port: u16) -> Result<(), Unanswered> {
        if self.allow.iter().any(|range| range.contains(address)) {
            return Ok(());
        }
        if !is_public(address) {
            return Err(Unanswered::Forbidden("it is not a public address"));
        }
        if !self.ports.contains(&port) {
            return Err(Unanswered::Forbidden("servers are not asked on that port"));
        }
        Ok(())
    }
}

/// Whether an address is one of the public internet, by the registries of special addresses (RFC 6890, with what IANA
/// has added since), and none that tells secrets to a cloud's own machines.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let special = match (a, b, c, d) {
        (0 | 10 | 127, ..) => true, // this network, private, loopback
        (100, 64..128, ..) => true, // shared by a provider's customers (RFC 6598)
        (169, 254, ..) => true,     // link-local, and most clouds' metadata
        (172, 16..32, ..) => true,  // private
        (192, 0, 0 | 2, _) => true, // protocols, documentation
        (192, 88, 99, _) => true,   // 6to4 relays
        (192, 168, ..) => true,     // private
        (198, 18..20, ..) => true,  // benchmarks
        (198, 51, 100, _) => true,  // documentation
        (203, 0, 113, _) => true,   // documentation
        (168, 63, 129, 16) => true, // Azure's metadata, which looks public
        (224.., ..) => true,        // multicast, reserved, broadcast
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Translated by a gateway (RFC 6052): as good as the address that it carries.
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return is_public_v4(Ipv4Addr::from_bits(address.to_bits() as u32));
    }
    // Only global unicast (2000::/3) is given to anybody. Loopback, IPv4-compatible, local translation, unique local,
    // link-local, site-local, discard, segment routing and multicast are all outside of it.
    let special = match segments {
        [0x2001, b, ..] if b < 0x200 => true, // Teredo, ORCHID, benchmarks, protocols
        [0x2001, 0xdb8, ..] => true,          // documentation
        [0x2002, ..] => true,                 // 6to4, which carries any IPv4 address
        [0x3fff, b, ..] if b < 0x1000 => true, // documentation
        [0x3ffe, ..] => true,                 // was given back
        [a, ..] => a & 0xe000 != 0x2000,
    };
    !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_not_public_is_refused_to_its_first_and_last_address() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "168.63.129.16",
            "100.100.100.200",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::808:808",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "64:ff9b:0:0:0:1:808:808",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:10::1",
            "2001:2::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3ffe::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "fe80::a9fe:a9fe",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ] {
            assert!(!is_public(ip(text)), "{text}");
            assert!(Guard::default().admit(ip(text), 443).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_public_is_let_through() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.0.3.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "168.63.129.17",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00::1",
            "3fff:1000::1",
        ] {
            assert!(is_public(ip(text)), "{text}");
        }
    }

    #[test]
    fn ports_are_few_and_what_the_operator_allows_is_open() {
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], vec![443]);
        let admitted = |address: &str, port| guard.admit(ip(address), port).is_ok();
        assert!(admitted("1.1.1.1", 443) && !admitted("1.1.1.1", 80) && !admitted("1.1.1.1", 22));
        assert!(admitted("127.0.0.1", 9) && admitted("::ffff:127.8.0.1", 22) && admitted("fd12::1", 1));
        assert!(!admitted("::1", 443) && !admitted("10.0.0.1", 443) && !admitted("fc00::1", 443));
        for port in USUAL_PORTS {
            assert!(Guard::default().admit(ip("1.1.1.1"), port).is_ok());
        }
        for port in [22, 25, 81, 3306, 5432, 6379, 9200, 11211] {
            assert!(Guard::default().admit(ip("1.1.1.1"), port).is_err());
        }
    }
}
