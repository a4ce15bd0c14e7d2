//! The division of a product among cubes.

use super::multiply::{PANEL, Tile};
use crate::kernels::fragments::Arithmetic;

/// Minimum number of tiles of depth of a part of the sum.
const TILES_LEAST: usize = 4;
/// Maximum number of parts of a sum, because each is written and read again.
const PARTS_MOST: usize = 32;

/// The division of a product of `rows` × `columns` results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) tile: Tile,
    /// Cubes along columns, rows and depth.
    pub(crate) cubes: [usize; 3],
    /// Tiles of the whole depth, and of a part of the sum.
    pub(crate) tiles: usize,
    pub(crate) tiles_each: usize,
}

impl Plan {
    /// For a device of so many multiprocessors.
    pub(crate) fn new(
        rows: usize,
        columns: usize,
        depth: usize,
        plain: bool,
        arithmetic: Arithmetic,
        processors: usize,
    ) -> Self {
        // Measured on an H100: with few rows the weight's reads must fill the memory's pipe, with many
        // each part of a sum costs its own writing and reading.
        let (tile_rows, planes_down, planes_across, cubes_each) = match rows {
            0..=16 => (16, 1, 4, 6),
            17..=32 => (32, 1, 4, 6),
            33..=512 => (64, 2, 2, 4),
            _ => (64, 2, 2, 2),
        };
        let tile = Tile {
            rows: tile_rows,
            columns: 2 * PANEL,
            planes_down,
            planes_across,
            plain,
            arithmetic,
        };
        let (across, down) = (columns.div_ceil(tile.columns), rows.div_ceil(tile.rows));
        let tiles = depth.div_ceil(tile.depth());
        let wanted = (cubes_each * processors).div_ceil(across * down);
        let parts = wanted.min(tiles / TILES_LEAST).clamp(1, PARTS_MOST);
        let tiles_each = tiles.div_ceil(parts);
        Plan {
            tile,
            cubes: [across, down, tiles.div_ceil(tiles_each)],
            tiles,
            tiles_each,
        }
    }

    /// Columns of a part of the sum, filled up to whole tiles.
    pub(crate) fn pitch(&self) -> usize {
        self.cubes[0] * self.tile.columns
    }

    /// Elements of a part of the sum.
    pub(crate) fn part(&self) -> usize {
        self.cubes[1] * self.tile.rows * self.pitch()
    }
}

/// Rows of a packed weight: whole tiles of columns.
pub(crate) fn packed_rows(columns: usize) -> usize {
    columns.next_multiple_of(2 * PANEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: usize, columns: usize, depth: usize, arithmetic: Arithmetic) {
        let plan = Plan::new(rows, columns, depth, false, arithmetic, 132);
        let [across, down, parts] = plan.cubes;
        assert!(across * plan.tile.columns >= columns);
        assert!(down * plan.tile.rows >= rows);
        assert!((parts - 1) * plan.tiles_each < plan.tiles);
        assert!(parts * plan.tiles_each >= plan.tiles);
        assert!(across * plan.tile.columns <= packed_rows(columns));
        assert!(plan.tiles * plan.tile.depth() >= depth);
    }

    #[test]
    fn every_part_has_tiles_and_together_they_are_all() {
        for rows in [1, 16, 17, 64, 256, 1024, 4096, 65536] {
            for columns in [3, 64, 96, 192, 3072] {
                for depth in [3, 36, 64, 1728, 27648] {
                    check(rows, columns, depth, Arithmetic::Half);
                    check(rows, columns, depth, Arithmetic::Tf32x3);
                }
            }
        }
    }

    #[test]
    fn a_few_rows_divide_the_depth_until_the_device_is_busy() {
        let plan = Plan::new(16, 3072, 27648, false, Arithmetic::Half, 132);
        assert!(plan.cubes.iter().product::<usize>() >= 4 * 132);
        assert_eq!(plan.cubes[1], 1);
    }
}
