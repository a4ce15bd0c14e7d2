//! Sliding windows, of convolutions and pools.

use super::index;

/// A window that slides over the spatial dimensions of a tensor; every list has one number a
/// spatial dimension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows<'a> {
    /// The spatial shape that the window slides over.
    pub(crate) space: &'a [usize],
    /// The window's size.
    pub(crate) kernel: &'a [usize],
    /// Distance of two places of the window.
    pub(crate) stride: &'a [usize],
    /// How far before the first element the first place starts.
    pub(crate) padding: &'a [usize],
    /// Distance of two elements of the window.
    pub(crate) dilation: &'a [usize],
}

/// An element of a window that lies inside the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    /// Its row-major offset in the space.
    pub(crate) space: usize,
    /// Its row-major offset in the window.
    pub(crate) kernel: usize,
}

impl Windows<'_> {
    /// The elements inside the space of the window at this place.
    pub(crate) fn taps(&self, place: &[usize]) -> Vec<Tap> {
        let strides = index::strides(self.space);
        let inside = |kernel: &[usize]| -> Option<usize> {
            let mut offset = 0;
            for d in 0..self.space.len() {
                let padded = place[d] * self.stride[d] + kernel[d] * self.dilation[d];
                let i = padded
                    .checked_sub(self.padding[d])
                    .filter(|&i| i < self.space[d])?;
                offset += i * strides[d];
            }
            Some(offset)
        };
        index::map(self.kernel, inside)
            .into_iter()
            .enumerate()
            .filter_map(|(kernel, space)| {
                Some(Tap {
                    space: space?,
                    kernel,
                })
            })
            .collect()
    }

    /// The number of elements of the undilated window at this place that lie in the space or in
    /// its padding on both sides; the rest of the window hangs over the end.
    pub(crate) fn padded_size(&self, place: &[usize]) -> usize {
        let size = |d: usize| {
            let start = place[d] * self.stride[d];
            (start + self.kernel[d]).min(self.space[d] + 2 * self.padding[d]) - start
        };
        (0..self.space.len()).map(size).product()
    }
}
