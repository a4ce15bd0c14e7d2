//! Variable-length numbers.

use std::io::{self, Read};

/// The longest byte string in a header that is read.
const MAX_BYTES: u64 = 1 << 16;

/// An error of a stream that is not NUT as ffmpeg writes it.
pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Reads numbers from a pipe or a packet.
pub(super) trait ReadCodes: Read {
    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// 7 bits a byte, the most significant first; the top bit says that more follow.
    fn number(&mut self) -> io::Result<u64> {
        let mut value: u64 = 0;
        for _ in 0..10 {
            let byte = self.byte()?;
            value = value.wrapping_shl(7) | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(invalid("a number of more than 10 bytes"))
    }

    /// 0, 1, -1, 2, -2 ...
    fn signed(&mut self) -> io::Result<i64> {
        let value = self.number()?.wrapping_add(1);
        let half = (value >> 1) as i64;
        Ok(if value & 1 == 1 { -half } else { half })
    }

    fn bytes_field(&mut self) -> io::Result<Vec<u8>> {
        let length = self.number()?;
        if length > MAX_BYTES {
            return Err(invalid("a text of more than 64 KiB in a header"));
        }
        let mut bytes = vec![0; length as usize];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read + ?Sized> ReadCodes for R {}

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, value: u64) {
    let bits = 64 - value.leading_zeros();
    for group in (0..bits.div_ceil(7).max(1)).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        out.push((value >> (7 * group)) as u8 & 0x7f | more);
    }
}

/// Appends a length and bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            assert_eq!((&bytes[..]).number().unwrap(), value);
        }
        assert_eq!((&[0x81, 0x00][..]).number().unwrap(), 128);
        for (byte, value) in [(0, 0), (1, 1), (2, -1), (3, 2), (4, -2)] {
            assert_eq!((&[byte][..]).signed().unwrap(), value);
        }
    }
}
