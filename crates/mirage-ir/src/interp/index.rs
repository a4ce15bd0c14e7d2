//! Walking over the indices of a tensor.

/// Row-major strides of a shape, in elements.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d] * shape[d];
    }
    strides
}

/// The strides with which a tensor of shape `from` is read under an index into `to`, a shape of
/// the same rank that it broadcasts to: 0 along stretched dimensions.
pub fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<usize> {
    let stretched = from.iter().zip(to).map(|(f, t)| f != t);
    strides(from)
        .into_iter()
        .zip(stretched)
        .map(|(s, stretched)| if stretched { 0 } else { s })
        .collect()
}

/// The offset of an index under these strides.
pub fn offset(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(i, s)| i * s).sum()
}

/// Calls `f` with every index into `shape`, in row-major sequence, until it fails.
pub fn try_for_each<E>(
    shape: &[usize],
    mut f: impl FnMut(&[usize]) -> Result<(), E>,
) -> Result<(), E> {
    if shape.contains(&0) {
        return Ok(());
    }
    let mut index = vec![0; shape.len()];
    loop {
        f(&index)?;
        let Some(d) = (0..shape.len()).rev().find(|&d| index[d] + 1 < shape[d]) else {
            return Ok(());
        };
        index[d] += 1;
        index[d + 1..].fill(0);
    }
}

/// What `f` gives for every index into `shape`, in row-major sequence; its first error otherwise.
pub fn try_map<T, E>(
    shape: &[usize],
    mut f: impl FnMut(&[usize]) -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let mut out = Vec::new();
    try_for_each(shape, |index| f(index).map(|value| out.push(value)))?;
    Ok(out)
}

/// What `f` gives for every index into `shape`, in row-major sequence.
pub fn map<T>(shape: &[usize], mut f: impl FnMut(&[usize]) -> T) -> Vec<T> {
    let Ok(out) = try_map(shape, |index| Ok::<T, std::convert::Infallible>(f(index)));
    out
}

/// The elements of a tensor that differ in one index alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Offset of the first.
    pub start: usize,
    /// How many there are.
    pub len: usize,
    /// Distance of two neighbours.
    pub step: usize,
}

impl Lane {
    /// The offset of each element.
    pub fn offsets(self) -> impl Iterator<Item = usize> {
        (0..self.len).map(move |i| self.start + i * self.step)
    }
}

/// The lanes of a tensor of this shape along `dim`, in row-major sequence of the other dimensions.
pub fn lanes(shape: &[usize], dim: usize) -> impl Iterator<Item = Lane> {
    let len = shape[dim];
    let outer: usize = shape[..dim].iter().product();
    let step: usize = shape[dim + 1..].iter().product();
    (0..outer).flat_map(move |o| {
        (0..step).map(move |i| Lane {
            start: o * len * step + i,
            len,
            step,
        })
    })
}
