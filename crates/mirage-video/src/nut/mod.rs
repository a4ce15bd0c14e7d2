//! NUT, the container in which raw frames with their times go to and come from ffmpeg through a pipe: one video
//! stream of RGB, written and read without seeking.
//!
//! The format: <https://ffmpeg.org/nut.html> (`nut.txt`, version 3).

mod codes;
mod read;
mod write;

pub(crate) use self::{read::NutReader, write::NutWriter};

/// The first bytes of a file.
const FILE_ID: &[u8] = b"nut/multimedia container\0";
/// Start codes of packets.
const MAIN: u64 = 0x4E4D_7A56_1F5F_04AD;
const STREAM: u64 = 0x4E53_1140_5BF2_F9DB;
const SYNCPOINT: u64 = 0x4E4B_E4AD_EECA_4569;
const INFO: u64 = 0x4E49_AB68_B596_BA78;
/// The first byte of every start code; it is the code of no frame.
const START: u8 = b'N';
/// RGB, 24 bits a pixel.
const RGB: &[u8] = b"RGB\x18";

/// Flags of a frame.
mod flag {
    pub(super) const KEY: u64 = 1;
    pub(super) const CODED_PTS: u64 = 8;
    pub(super) const STREAM_ID: u64 = 16;
    pub(super) const SIZE_MSB: u64 = 32;
    pub(super) const CHECKSUM: u64 = 64;
    pub(super) const RESERVED: u64 = 128;
    pub(super) const HEADER_IDX: u64 = 1024;
    pub(super) const MATCH_TIME: u64 = 2048;
    pub(super) const CODED: u64 = 4096;
    pub(super) const INVALID: u64 = 8192;
}

/// The checksum of packets.
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::Algorithm {
    width: 32,
    poly: 0x04C1_1DB7,
    init: 0,
    refin: false,
    refout: false,
    xorout: 0,
    check: 0x89A1_897F,
    residue: 0,
});

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Rational, VideoInfo};

    #[test]
    fn what_is_written_is_read() {
        let aspect = Rational::new(32, 27).unwrap();
        let info = VideoInfo {
            pixel_aspect: aspect,
            ..VideoInfo::new("x", 3, 2, Rational::whole(25).unwrap())
        };
        let tick = Rational::whole(60_000).unwrap();
        let times = [0, 1, 130, 70_000, 60_000 * 3600 * 30];
        let mut writer = NutWriter::new(Vec::new(), &info, tick).unwrap();
        for (i, &time) in times.iter().enumerate() {
            writer.frame(time, &[i as u8; 18]).unwrap();
        }
        let bytes = writer.into_inner();
        let mut reader = NutReader::new(&bytes[..]).unwrap().unwrap();
        assert_eq!((reader.width, reader.height), (3, 2));
        assert_eq!(reader.pixel_aspect, aspect);
        assert_eq!(reader.rate, Some(info.fps));
        let mut data = vec![0; 18];
        for (i, &time) in times.iter().enumerate() {
            let want = Duration::from_nanos((time as u128 * 1_000_000_000 / 60_000) as u64);
            let got = reader.frame(&mut data).unwrap().unwrap();
            assert_eq!(Duration::from_nanos(got as u64), want, "frame {i}");
            assert_eq!(data, [i as u8; 18]);
        }
        assert_eq!(reader.frame(&mut data).unwrap(), None);
    }

    #[test]
    fn every_truncation_is_an_end_or_an_error() {
        let info = VideoInfo::new("x", 2, 2, Rational::whole(25).unwrap());
        let mut writer = NutWriter::new(Vec::new(), &info, info.fps).unwrap();
        for time in 0..3 {
            writer.frame(time, &[7; 12]).unwrap();
        }
        let bytes = writer.into_inner();
        let mut data = vec![0; 12];
        for length in 0..bytes.len() {
            if let Ok(Some(mut reader)) = NutReader::new(&bytes[..length]) {
                let mut frames = 0;
                while let Ok(Some(_)) = reader.frame(&mut data) {
                    frames += 1;
                }
                assert!(frames < 3, "{length} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn damaged_bytes_do_not_panic() {
        let info = VideoInfo::new("x", 2, 2, Rational::whole(25).unwrap());
        let mut writer = NutWriter::new(Vec::new(), &info, info.fps).unwrap();
        for time in 0..3 {
            writer.frame(time, &[7; 12]).unwrap();
        }
        let bytes = writer.into_inner();
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                if let Ok(Some(mut reader)) = NutReader::new(&damaged[..]) {
                    let mut data = vec![0; 12];
                    for _ in 0..8 {
                        let _ = reader.frame(&mut data);
                    }
                }
            }
        }
    }
}
