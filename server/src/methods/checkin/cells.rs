//! Cells of the globe by which places near a point are found: the cells of Geohash, a grid that gets finer level by
//! level (Niemeyer 2008).
//!
//! A place stands in the lists of its cells of [`LEVELS`]. Who looks around a point reads the cells that the circle
//! touches, at the finest level at which they are few. Towards the poles cells become narrow and a circle touches
//! many: what lies there stands in the list of its polar cap as well.

use super::globe::{Point, RADIUS_M};

/// Levels at which places are listed. Stored data depends on it: never change it.
pub const LEVELS: [u8; 4] = [3, 4, 5, 6];
/// Most cells that a search reads.
pub const CELLS_MAX: usize = 16;
/// Widest circle that a search may draw, in metres.
pub const CIRCLE_M_MAX: u32 = 50_000;
/// Where the polar caps begin, in degrees. Stored data depends on it: never change it.
const CAP_DEGREES: f64 = 80.0;
/// Degrees by which a circle is drawn too wide, so that rounding leaves nothing out: a tenth of a metre.
const SLACK_DEGREES: f64 = 1e-6;

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Of the grid of this level.
    Grid {
        /// How fine: the number of letters of its name.
        level: u8,
        /// From the date line to the east.
        column: u32,
        /// From the south pole to the north.
        row: u32,
    },
    /// Around the north pole.
    North,
    /// Around the south pole.
    South,
}

impl Cell {
    /// The cell of a level that a point lies in.
    pub fn of(point: Point, level: u8) -> Cell {
        let grid = Grid::of(level);
        Cell::Grid { level, column: grid.column(point.longitude), row: grid.row(point.latitude) }
    }

    /// All cells in whose lists a place at a point stands.
    pub fn all_of(point: Point) -> Vec<Cell> {
        let mut cells: Vec<Cell> = LEVELS.iter().map(|&level| Cell::of(point, level)).collect();
        if point.latitude >= CAP_DEGREES {
            cells.push(Cell::North);
        }
        if point.latitude <= -CAP_DEGREES {
            cells.push(Cell::South);
        }
        cells
    }

    /// Its name: the letters of its geohash. Names of lists depend on it: never change it.
    pub fn name(self) -> String {
        let Cell::Grid { level, column, row } = self else {
            return if self == Cell::North { "north" } else { "south" }.to_owned();
        };
        let grid = Grid::of(level);
        // Bits of column and row by turns, from the greatest, beginning with the column.
        let (mut bits, mut columns, mut rows) = (0_u64, grid.column_bits, grid.row_bits);
        for turn in 0..grid.column_bits + grid.row_bits {
            let (number, left) = if turn % 2 == 0 { (column, &mut columns) } else { (row, &mut rows) };
            *left -= 1;
            bits = bits << 1 | u64::from(number >> *left & 1);
        }
        (0..level).rev().map(|letter| LETTERS[(bits >> (5 * letter) & 31) as usize] as char).collect()
    }

    /// The cells that a circle touches, at most [`CELLS_MAX`]. Whatever lies within it is listed in one of them.
    pub fn around(centre: Point, metres: u32) -> Vec<Cell> {
        let circle = Circle::new(centre, metres);
        for level in LEVELS.into_iter().rev() {
            let grid = Grid::of(level);
            let (rows, columns) = (circle.rows(grid), circle.columns(grid));
            if rows.len() * columns.len() <= CELLS_MAX {
                let cell = |(&row, &column): (&u32, &u32)| Cell::Grid { level, column, row };
                let pairs = rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column)));
                return pairs.map(cell).collect();
            }
        }
        vec![if centre.latitude > 0.0 { Cell::North } else { Cell::South }]
    }
}

/// The grid of a level.
#[derive(Clone, Copy)]
struct Grid {
    column_bits: u32,
    row_bits: u32,
}

impl Grid {
    fn of(level: u8) -> Grid {
        let bits = 5 * u32::from(level);
        Grid { column_bits: bits.div_ceil(2), row_bits: bits / 2 }
    }

    fn columns(self) -> u32 {
        1 << self.column_bits
    }

    fn column(self, longitude: f64) -> u32 {
        self.unwrapped(longitude).rem_euclid(i64::from(self.columns())) as u32
    }

    /// The column, counted on beyond the date line.
    fn unwrapped(self, longitude: f64) -> i64 {
        ((longitude + 180.0) / 360.0 * f64::from(self.columns())).floor() as i64
    }

    fn row(self, latitude: f64) -> u32 {
        let rows = f64::from(1_u32 << self.row_bits);
        ((latitude + 90.0) / 180.0 * rows).floor().clamp(0.0, rows - 1.0) as u32
    }
}

/// What a circle reaches.
struct Circle {
    south: f64,
    north: f64,
    /// West and east end; none if it goes around a pole.
    across: Option<(f64, f64)>,
}

impl Circle {
    fn new(centre: Point, metres: u32) -> Circle {
        let angle = f64::from(metres) / RADIUS_M;
        let up = angle.to_degrees() + SLACK_DEGREES;
        let (south, north) = (centre.latitude - up, centre.latitude + up);
        // Where a meridian touches the circle.
        let sine = angle.sin() / centre.latitude.to_radians().cos();
        let across = (south > -90.0 && north < 90.0 && sine < 1.0).then(|| {
            let aside = sine.asin().to_degrees() + SLACK_DEGREES / centre.latitude.to_radians().cos();
            (centre.longitude - aside, centre.longitude + aside)
        });
        Circle { south, north, across }
    }

    fn rows(&self, grid: Grid) -> Vec<u32> {
        (grid.row(self.south)..=grid.row(self.north)).collect()
    }

    fn columns(&self, grid: Grid) -> Vec<u32> {
        let all = i64::from(grid.columns());
        let (first, last) = match self.across {
            Some((west, east)) => (grid.unwrapped(west), grid.unwrapped(east)),
            None => (0, all - 1),
        };
        (first..=last.min(first + all - 1)).map(|column| column.rem_euclid(all) as u32).collect()
    }
}

/// The letters of Geohash: digits and small letters but for a, i, l and o.
const LETTERS: [u8; 32] = *b"0123456789bcdefghjkmnpqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn point(latitude: f64, longitude: f64) -> Point {
        Point::new(latitude, longitude).unwrap()
    }

    #[test]
    fn names_are_those_of_geohash() {
        for (latitude, longitude, hash) in [
            (57.64911, 10.40744, "u4pruy"),
            (42.605, -5.603, "ezs42s"),
            (-25.38262, -49.26561, "6gkzwg"),
            (0.0, 0.0, "s00000"),
            (90.0, 179.99999, "zzzzzz"),
            (-90.0, -180.0, "000000"),
        ] {
            for level in [6, 5, 3, 1] {
                let name = Cell::of(point(latitude, longitude), level).name();
                assert_eq!(name, hash[..usize::from(level)], "{latitude} {longitude}");
            }
        }
    }

    #[test]
    fn both_spellings_of_the_date_line_are_one() {
        for level in LEVELS {
            assert_eq!(Cell::of(point(10.0, 180.0), level), Cell::of(point(10.0, -180.0), level));
        }
    }

    #[test]
    fn a_circle_on_the_date_line_reaches_both_sides() {
        let names: Vec<String> = Cell::around(point(0.1, 180.0), 1_000).into_iter().map(Cell::name).collect();
        assert!(
            names.iter().any(|name| name.starts_with('8')) && names.iter().any(|name| name.starts_with('x')),
            "{names:?}"
        );
    }

    #[test]
    fn no_circle_reads_many_cells_and_caps_hold_what_they_must() {
        for hundredth in -9_000..=9_000 {
            let centre = point(f64::from(hundredth) / 100.0, 12.3);
            for metres in [1, 500, 5_000, CIRCLE_M_MAX] {
                let cells = Cell::around(centre, metres);
                assert!((1..=CELLS_MAX).contains(&cells.len()));
                assert_eq!(cells.iter().collect::<BTreeSet<_>>().len(), cells.len(), "each once");
                if matches!(cells[..], [Cell::North | Cell::South]) {
                    let reach = f64::from(metres) / RADIUS_M;
                    assert!(centre.latitude.abs() - reach.to_degrees() > CAP_DEGREES, "{centre:?} {metres}");
                }
            }
        }
    }

    /// A point that many metres away, in some direction.
    fn moved(from: Point, metres: f64, direction: f64) -> Point {
        let (angle, latitude) = (metres / RADIUS_M, from.latitude.to_radians());
        let north = latitude.sin() * angle.cos() + latitude.cos() * angle.sin() * direction.cos();
        let to = north.clamp(-1.0, 1.0).asin();
        let east =
            (direction.sin() * angle.sin() * latitude.cos()).atan2(angle.cos() - latitude.sin() * to.sin());
        let longitude = (from.longitude + east.to_degrees() + 540.0).rem_euclid(360.0) - 180.0;
        point(to.to_degrees(), longitude)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn what_lies_in_a_circle_is_listed_in_its_cells(
            latitude in prop_oneof![-90.0..=90.0, 79.0..=90.0, -90.0..=-79.0, Just(90.0), Just(0.0)],
            longitude in prop_oneof![-180.0..=180.0, 179.5..=180.0, -180.0..=-179.5],
            metres in 1..=CIRCLE_M_MAX, share in 0.0..=1.0, direction in 0.0..=6.3,
        ) {
            let centre = point(latitude, longitude);
            let place = moved(centre, f64::from(metres) * share, direction);
            prop_assume!(centre.metres_to(place) <= f64::from(metres));
            let listed = Cell::all_of(place);
            let read = Cell::around(centre, metres);
            prop_assert!(read.iter().any(|cell| listed.contains(cell)), "{centre:?} {place:?} {read:?}");
        }
    }
}
