//! Reads raw frames.

use std::io::{self, BufRead};

use super::{
    CRC, FILE_ID, INFO, MAIN, RGB, START, STREAM, SYNCPOINT,
    codes::{ReadCodes, invalid},
    flag,
};
use crate::{Rational, frame::checked_len};

/// The longest packet that is read; headers are much shorter.
const MAX_PACKET: u64 = 1 << 20;

/// How a frame code is read.
#[derive(Clone, Copy, Default)]
struct Code {
    flags: u64,
    pts_delta: i64,
    size_mul: u64,
    size_lsb: u64,
    reserved: u64,
    header: usize,
}

/// Reads one stream of RGB frames.
pub(crate) struct NutReader<R> {
    input: R,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixel_aspect: Rational,
    /// The rate that ffmpeg guessed for the stream.
    pub(crate) rate: Option<Rational>,
    bases: Vec<(u64, u64)>,
    base: (u64, u64),
    msb_shift: u32,
    codes: Vec<Code>,
    elided: Vec<Vec<u8>>,
    last: i64,
}

impl<R: BufRead> NutReader<R> {
    /// Reads the headers; `None` if the input ends before the first byte.
    pub(crate) fn new(mut input: R) -> io::Result<Option<Self>> {
        if input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut id = vec![0; FILE_ID.len()];
        input.read_exact(&mut id)?;
        if id != FILE_ID {
            return Err(invalid("it does not begin with the file id of NUT"));
        }
        let mut reader = NutReader {
            input,
            width: 0,
            height: 0,
            pixel_aspect: Rational::ONE,
            rate: None,
            bases: Vec::new(),
            base: (1, 1),
            msb_shift: 7,
            codes: Vec::new(),
            elided: Vec::new(),
            last: 0,
        };
        // Headers end at the first syncpoint.
        loop {
            if reader.input.byte()? != START {
                return Err(invalid("a frame before the headers"));
            }
            if reader.packet()? == SYNCPOINT {
                break;
            }
        }
        if reader.codes.len() != 256 || reader.width == 0 {
            return Err(invalid("a header is missing"));
        }
        Ok(Some(reader))
    }

    /// Reads the next frame into `data`, which must have the length of a frame. Returns its time in nanoseconds, which
    /// may be negative; `None` at the end.
    pub(crate) fn frame(&mut self, data: &mut [u8]) -> io::Result<Option<i128>> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(None);
            }
            let byte = self.input.byte()?;
            if byte == START {
                self.packet()?;
                continue;
            }
            if let Some(pts) = self.one(byte, data)? {
                let (num, den) = self.base;
                let scaled = i128::from(pts) * i128::from(num) * 1_000_000_000;
                return Ok(Some(scaled.div_euclid(i128::from(den))));
            }
        }
    }

    /// Reads a frame after its code; `None` for an empty one.
    fn one(&mut self, byte: u8, data: &mut [u8]) -> io::Result<Option<i64>> {
        let code = self.codes[usize::from(byte)];
        let input = &mut self.input;
        let mut flags = code.flags;
        if flags & flag::INVALID != 0 {
            return Err(invalid("an invalid frame code"));
        }
        if flags & flag::CODED != 0 {
            flags ^= input.number()?;
        }
        if flags & flag::STREAM_ID != 0 && input.number()? != 0 {
            return Err(invalid("a second stream"));
        }
        let pts = match flags & flag::CODED_PTS != 0 {
            true => full_time(input.number()?, self.last, self.msb_shift),
            false => self.last.wrapping_add(code.pts_delta),
        };
        let mut size = code.size_lsb;
        if flags & flag::SIZE_MSB != 0 {
            size = size.wrapping_add(code.size_mul.wrapping_mul(input.number()?));
        }
        if flags & flag::MATCH_TIME != 0 {
            input.signed()?;
        }
        let header = match flags & flag::HEADER_IDX != 0 {
            true => input.number()? as usize,
            false => code.header,
        };
        let reserved = match flags & flag::RESERVED != 0 {
            true => input.number()?,
            false => code.reserved,
        };
        for _ in 0..reserved.min(256) {
            input.number()?;
        }
        if flags & flag::CHECKSUM != 0 {
            input.read_exact(&mut [0; 4])?;
        }
        self.last = pts;
        if size == 0 {
            return Ok(None);
        }
        if size != data.len() as u64 {
            return Err(invalid("a frame of another size"));
        }
        let elided = self.elided.get(header).map_or(&[][..], Vec::as_slice);
        let (head, rest) = data
            .split_at_mut_checked(elided.len())
            .ok_or_else(|| invalid("an elided header longer than its frame"))?;
        head.copy_from_slice(elided);
        self.input.read_exact(rest)?;
        Ok(Some(pts))
    }

    /// Reads a packet after the first byte of its start code, and returns the code.
    fn packet(&mut self) -> io::Result<u64> {
        let mut code = [START; 8];
        self.input.read_exact(&mut code[1..])?;
        let code = u64::from_be_bytes(code);
        let length = self.input.number()?;
        if !(4..=MAX_PACKET).contains(&length) {
            return Err(invalid("a packet of an impossible length"));
        }
        if length > 4096 {
            self.input.read_exact(&mut [0; 4])?;
        }
        let mut body = vec![0; length as usize];
        self.input.read_exact(&mut body)?;
        let sum = body.split_off(body.len() - 4);
        if sum != CRC.checksum(&body).to_be_bytes() {
            return Err(invalid("a checksum does not match"));
        }
        let body = &mut &body[..];
        match code {
            MAIN => self.main(body)?,
            STREAM => self.stream(body)?,
            SYNCPOINT => self.syncpoint(body)?,
            INFO => self.info(body).unwrap_or_default(),
            _ => {}
        }
        Ok(code)
    }

    fn main(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let version = body.number()?;
        if version > 3 {
            body.number()?;
        }
        let _streams = body.number()?;
        let _max_distance = body.number()?;
        self.bases.clear();
        for _ in 0..body.number()?.min(256) {
            let (num, den) = (body.number()?, body.number()?);
            if den == 0 || num == 0 {
                return Err(invalid("a time base of zero"));
            }
            self.bases.push((num, den));
        }
        self.codes = codes(body)?;
        self.elided = vec![Vec::new()];
        for _ in 0..body.number()?.min(127) {
            self.elided.push(body.bytes_field()?);
        }
        Ok(())
    }

    fn stream(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let (id, class) = (body.number()?, body.number()?);
        let codec = body.bytes_field()?;
        if (id, class) != (0, 0) || codec != RGB {
            return Err(invalid("not one stream of RGB frames"));
        }
        let base = body.number()? as usize;
        let none = || invalid("an unknown time base");
        self.base = *self.bases.get(base).ok_or_else(none)?;
        self.msb_shift = (body.number()? as u32).min(62);
        let _max_pts_distance = body.number()?;
        let _decode_delay = body.number()?;
        let _flags = body.number()?;
        body.bytes_field()?;
        let (width, height) = (body.number()?, body.number()?);
        checked_len("NUT", width, height).map_err(|error| invalid(&error.to_string()))?;
        (self.width, self.height) = (width as u32, height as u32);
        let (num, den) = (body.number()?, body.number()?);
        self.pixel_aspect = Rational::new(num, den).unwrap_or(Rational::ONE);
        Ok(())
    }

    fn syncpoint(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let count = self.bases.len().max(1) as u64;
        let time = body.number()?;
        let (at, base) = (time / count, self.bases.get((time % count) as usize));
        let &(num, den) = base.ok_or_else(|| invalid("a syncpoint before the main header"))?;
        let scale = u128::from(num) * u128::from(self.base.1);
        let into = u128::from(den) * u128::from(self.base.0);
        let scaled = u128::from(at).checked_mul(scale).map(|x| x / into);
        self.last = scaled
            .and_then(|x| i64::try_from(x).ok())
            .unwrap_or(i64::MAX / 2);
        Ok(())
    }

    /// Looks for the rate among the texts about the stream.
    fn info(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let _stream = body.number()?;
        let _chapter = body.signed()?;
        let _start = body.number()?;
        let _length = body.number()?;
        for _ in 0..body.number()? {
            let name = body.bytes_field()?;
            match body.signed()? {
                -1 => {
                    let text = body.bytes_field()?;
                    if name == b"r_frame_rate" {
                        self.rate = Rational::parse(&String::from_utf8_lossy(&text));
                    }
                }
                -2 => {
                    body.bytes_field()?;
                    body.bytes_field()?;
                }
                -3 => drop(body.signed()?),
                -4 => drop(body.number()?),
                value if value < -4 => drop(body.signed()?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the table of frame codes.
fn codes(body: &mut &[u8]) -> io::Result<Vec<Code>> {
    let mut table = Vec::with_capacity(256);
    let (mut delta, mut mul, mut header) = (0, 1, 0);
    while table.len() < 256 {
        let flags = body.number()?;
        let fields = body.number()?;
        let mut field = |at: u64, default: u64| match fields > at {
            true => body.number(),
            false => Ok(default),
        };
        if fields > 0 {
            // The only signed field in its place; read through the same bytes.
            let coded = field(0, 0)?.wrapping_add(1);
            let half = (coded >> 1) as i64;
            delta = if coded & 1 == 1 { -half } else { half };
        }
        mul = field(1, mul)?;
        let _stream = field(2, 0)?;
        let lsb = field(3, 0)?;
        let reserved = field(4, 0)?;
        let count = field(5, mul.saturating_sub(lsb))?;
        let _match = field(6, 0)?;
        header = field(7, header)?;
        for at in 8..fields.min(64) {
            field(at, 0)?;
        }
        if count == 0 && table.len() != usize::from(START) {
            return Err(invalid("an empty run of frame codes"));
        }
        let mut done = 0;
        while (done < count || table.len() == usize::from(START)) && table.len() < 256 {
            if table.len() == usize::from(START) {
                table.push(Code {
                    flags: flag::INVALID,
                    ..Code::default()
                });
                continue;
            }
            table.push(Code {
                flags,
                pts_delta: delta,
                size_mul: mul,
                size_lsb: lsb + done,
                reserved,
                header: header as usize,
            });
            done += 1;
        }
    }
    Ok(table)
}

/// Completes a time of which only the lowest bits may be written.
fn full_time(coded: u64, last: i64, shift: u32) -> i64 {
    let unit = 1_u64 << shift;
    if coded >= unit {
        return (coded - unit) as i64;
    }
    let mask = unit as i64 - 1;
    let delta = last.wrapping_sub(mask / 2);
    ((coded as i64).wrapping_sub(delta) & mask).wrapping_add(delta)
}
