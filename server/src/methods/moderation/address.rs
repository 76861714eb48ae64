//! Ranges of addresses.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A range of addresses: those that begin with the same bits. `192.0.2.0/24`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressRange {
    first: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Whether an address is in it. An IPv4 address that came as IPv6 is the IPv4 address.
    pub fn holds(self, address: IpAddr) -> bool {
        AddressRange::new(address.to_canonical(), self.bits).is_some_and(|range| range == self)
    }

    /// The range of this many bits that an address is in.
    fn new(address: IpAddr, bits: u8) -> Option<AddressRange> {
        let first = match address {
            IpAddr::V4(v4) => {
                let drop = 32u32.checked_sub(bits.into())?;
                IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(drop).unwrap_or(0)).into())
            }
            IpAddr::V6(v6) => {
                let drop = 128u32.checked_sub(bits.into())?;
                IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(drop).unwrap_or(0)).into())
            }
        };
        Some(AddressRange { first, bits })
    }

    fn is_single(self) -> bool {
        self.bits == if self.first.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for AddressRange {
    type Err = ();

    /// Refuses what holds more than an IPv4 /8 or an IPv6 /16: that is a slip, and no ban.
    fn from_str(text: &str) -> Result<AddressRange, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse::<IpAddr>().map_err(|_| ())?.to_canonical();
        let (least, most) = if address.is_ipv4() { (8, 32) } else { (16, 128) };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|c| c.is_ascii_digit()) => bits.parse().map_err(|_| ())?,
            Some(_) => return Err(()),
        };
        if !(least..=most).contains(&bits) {
            return Err(());
        }
        AddressRange::new(address, bits).ok_or(())
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.bits) }
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<AddressRange, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|()| {
            D::Error::custom(
                "format: an address, or a range such as 192.0.2.0/24, no wider than /8 for IPv4 and /16 for IPv6",
            )
        })
    }
}

impl JsonSchema for AddressRange {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AddressRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 49 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_is_one_however_it_is_written() {
        for (text, shown) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:DB8::1/64", "2001:db8::/64"),
        ] {
            assert_eq!(text.parse::<AddressRange>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_range_or_too_wide_is_refused() {
        for text in [
            "",
            "x",
            "192.0.2.7/",
            "192.0.2.7/33",
            "0.0.0.0/0",
            "10.0.0.0/7",
            "::/15",
            "::1/129",
            "1.2.3.4/+9",
            "1.2.3",
        ] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_what_begins_alike(address: u32, other: u32, bits in 8u8..=32) {
            let range: AddressRange = format!("{}/{bits}", IpAddr::V4(address.into())).parse().unwrap();
            let alike = (address ^ other).leading_zeros() >= u32::from(bits);
            prop_assert_eq!(range.holds(IpAddr::V4(other.into())), alike);
            prop_assert!(range.holds(IpAddr::V4(address.into())));
            prop_assert_eq!(range.to_string().parse::<AddressRange>(), Ok(range));
            prop_assert!(!range.holds(IpAddr::V6(u128::from(address).into())) || range.first.is_ipv6());
        }
    }
}
