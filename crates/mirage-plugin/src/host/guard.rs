//! Memory that a plugin writes to, between guards that show whether it wrote out of bounds.

use crate::abi::BufferHandle;

/// The number of bytes of a guard.
const MARK: usize = 64;
/// The number of handles of a guard.
const PLACES: usize = 8;

fn mark(i: usize) -> u8 {
    0xA5 ^ (i as u8).rotate_left(3)
}

/// Bytes between guards.
pub(super) struct GuardedBytes(Vec<u8>);

impl GuardedBytes {
    /// Returns this many zeros between guards.
    pub(super) fn new(len: usize) -> Self {
        let mut memory = vec![0; len + 2 * MARK];
        let (front, rest) = memory.split_at_mut(MARK);
        let back = rest.split_at_mut(len).1;
        for side in [front, back] {
            side.iter_mut()
                .enumerate()
                .for_each(|(i, byte)| *byte = mark(i));
        }
        GuardedBytes(memory)
    }

    /// Returns a pointer to the bytes between the guards.
    pub(super) fn place(&mut self) -> *mut u8 {
        self.0[MARK..].as_mut_ptr()
    }

    /// Whether the guards are unchanged.
    pub(super) fn is_whole(&self) -> bool {
        let back = self.0.len() - MARK;
        [&self.0[..MARK], &self.0[back..]]
            .iter()
            .all(|side| side.iter().enumerate().all(|(i, &byte)| byte == mark(i)))
    }
}

impl AsRef<[u8]> for GuardedBytes {
    /// Returns the bytes between the guards.
    fn as_ref(&self) -> &[u8] {
        &self.0[MARK..self.0.len() - MARK]
    }
}

/// Handles between guards.
pub(super) struct GuardedHandles(Vec<BufferHandle>);

/// The value of a guard, which is not a valid address.
fn mark_handle(i: usize) -> BufferHandle {
    std::ptr::without_provenance_mut(usize::MAX - 0x5A5A - i)
}

impl GuardedHandles {
    /// Returns this many null handles between guards.
    pub(super) fn new(count: usize) -> Self {
        let null = std::iter::repeat_n(std::ptr::null_mut(), count);
        let marks = (0..PLACES).map(mark_handle);
        GuardedHandles(marks.clone().chain(null).chain(marks).collect())
    }

    /// Returns a pointer to the handles between the guards.
    pub(super) fn place(&mut self) -> *mut BufferHandle {
        self.0[PLACES..].as_mut_ptr()
    }

    /// Whether the guards are unchanged.
    pub(super) fn is_whole(&self) -> bool {
        let back = self.0.len() - PLACES;
        [&self.0[..PLACES], &self.0[back..]]
            .iter()
            .all(|side| side.iter().enumerate().all(|(i, &h)| h == mark_handle(i)))
    }

    /// Returns the written handles.
    pub(super) fn handles(&self) -> &[BufferHandle] {
        &self.0[PLACES..self.0.len() - PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_past_either_end_shows() {
        for at in [0, MARK - 1, MARK + 3, MARK + 3 + MARK - 1] {
            let mut bytes = GuardedBytes::new(3);
            assert!(bytes.is_whole());
            bytes.0[MARK..MARK + 3].fill(7);
            assert!(bytes.is_whole());
            assert_eq!(bytes.as_ref(), [7, 7, 7]);
            bytes.0[at] ^= 1;
            assert!(!bytes.is_whole(), "{at}");
        }
        let mut handles = GuardedHandles::new(2);
        assert!(handles.is_whole() && handles.handles() == [std::ptr::null_mut(); 2]);
        handles.0[PLACES + 2] = std::ptr::null_mut();
        assert!(!handles.is_whole());
    }
}
