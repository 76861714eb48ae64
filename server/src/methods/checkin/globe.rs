//! Points on the globe, and how far they are from each other.
//!
//! Must never learn: what stands there.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Metres from the middle of the Earth to its surface, on average (IUGG).
pub const RADIUS_M: f64 = 6_371_008.8;

/// A point, rounded to five digits after the point, which is about a metre: nobody's things need to be known closer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// Degrees north, -90 to 90.
    #[schemars(range(min = -90, max = 90))]
    pub latitude: f64,
    /// Degrees east, -180 to 180. The date line is at -180.
    #[schemars(range(min = -180, max = 180))]
    pub longitude: f64,
}

impl Point {
    /// The point there, if there is one.
    pub fn new(latitude: f64, longitude: f64) -> Option<Point> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return None;
        }
        // Adding zero makes zero of minus zero.
        let round = |degrees: f64| (degrees * 1e5).round() / 1e5 + 0.0;
        let longitude = round(longitude);
        Some(Point {
            latitude: round(latitude),
            longitude: if longitude >= 180.0 { -180.0 } else { longitude },
        })
    }

    /// Metres to another point, along the surface of a sphere: right to half a percent. (The haversine formula,
    /// which is exact for near points too.)
    pub fn metres_to(self, other: Point) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
        let north = half(other.latitude - self.latitude);
        let east = half(other.longitude - self.longitude);
        let chord = north + from.cos() * to.cos() * east;
        2.0 * RADIUS_M * chord.clamp(0.0, 1.0).sqrt().asin()
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Point, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            latitude: f64,
            longitude: f64,
        }
        let Fields { latitude, longitude } = Fields::deserialize(from)?;
        Point::new(latitude, longitude)
            .ok_or_else(|| D::Error::custom("range: latitude is -90 to 90, longitude -180 to 180"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(latitude: f64, longitude: f64) -> Point {
        Point::new(latitude, longitude).unwrap()
    }

    #[test]
    fn known_distances_come_out() {
        for (from, to, km) in [
            // Zürich to Bern; London to New York.
            (point(47.3769, 8.5417), point(46.9480, 7.4474), 95.5),
            (point(51.5074, -0.1278), point(40.7128, -74.0060), 5_570.0),
            // Across the date line: Suva to Apia.
            (point(-18.1416, 178.4419), point(-13.8333, -171.7667), 1_153.0),
            // Over the pole: ten degrees on one side, ten on the other.
            (point(80.0, 0.0), point(80.0, 180.0), 2_223.9),
            (point(90.0, 0.0), point(90.0, 123.0), 0.0),
            (point(0.0, 180.0), point(0.0, -180.0), 0.0),
            // Half way round.
            (point(0.0, 0.0), point(0.0, 180.0), 20_015.1),
        ] {
            let found = from.metres_to(to) / 1_000.0;
            assert!((found - km).abs() <= km * 0.005 + 0.001, "{from:?} {to:?}: {found} and not {km}");
        }
    }

    #[test]
    fn what_is_not_on_the_globe_is_no_point() {
        for (latitude, longitude) in
            [(90.1, 0.0), (-90.1, 0.0), (0.0, 180.1), (0.0, -181.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)]
        {
            assert_eq!(Point::new(latitude, longitude), None);
        }
        assert_eq!(point(47.123_456_789, -0.000_001), point(47.123_46, 0.0));
        assert!(serde_json::from_str::<Point>(r#"{"latitude":91,"longitude":0}"#).is_err());
    }

    proptest! {
        #[test]
        fn a_distance_is_a_distance(
            a in (-90.0..=90.0, -180.0..=180.0), b in (-90.0..=90.0, -180.0..=180.0),
            c in (-90.0..=90.0, -180.0..=180.0),
        ) {
            let [a, b, c] = [a, b, c].map(|(latitude, longitude): (f64, f64)| point(latitude, longitude));
            prop_assert!(a.metres_to(a) < 0.01);
            prop_assert!((a.metres_to(b) - b.metres_to(a)).abs() < 0.01);
            prop_assert!(a.metres_to(c) <= a.metres_to(b) + b.metres_to(c) + 0.1);
            prop_assert!(a.metres_to(b) <= std::f64::consts::PI * RADIUS_M + 0.1);
        }
    }
}
