//! Fingerprints of plans, stable across runs, machines and builds.

use std::fmt;

use mirage_ir::target::{Capabilities, Capability, Support};
use serde::{Serialize, Serializer};

use crate::Plan;

/// Identifies what a plan does on a backend: its passes, their versions, every option, and the backend's
/// capabilities. Whether a step was automatic is not part of it.
///
/// FNV-1a of 128 bits over the parts in a fixed encoding (see [`Fingerprint::of`]): the same on every
/// machine and for every build of the same passes. Not a cryptographic hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Returns the fingerprint of a plan on a backend with these capabilities.
    ///
    /// Every string and every list is encoded with its length first (8 bytes, little endian), so that no two
    /// plans have the same encoding.
    pub fn of(plan: &Plan, capabilities: &Capabilities) -> Self {
        let mut hash = Fnv::new();
        hash.count(plan.steps.len());
        for step in &plan.steps {
            hash.text(step.info().name);
            hash.count(step.info().version as usize);
            hash.count(step.options.iter().count());
            for (name, value) in step.options.iter() {
                hash.text(name);
                hash.text(&value.to_string());
            }
        }
        hash.count(capabilities.lines.len());
        capabilities
            .lines
            .iter()
            .for_each(|line| hash.capability(line));
        Fingerprint(hash.0)
    }

    /// Returns the fingerprint of a text.
    pub(crate) fn of_text(text: &str) -> Self {
        let mut hash = Fnv::new();
        hash.text(text);
        Fingerprint(hash.0)
    }
}

impl fmt::Display for Fingerprint {
    /// Writes 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// FNV-1a, 128 bits.
struct Fnv(u128);

impl Fnv {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    fn new() -> Self {
        Fnv(Self::OFFSET)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(Self::PRIME);
        }
    }

    fn count(&mut self, n: usize) {
        self.bytes(&(n as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    fn capability(&mut self, line: &Capability) {
        // Destructures every field, so that a new field has to be hashed for this to compile.
        let Capability {
            subject,
            dtypes,
            orders,
            channel_multiple,
            support,
        } = line;
        self.text(&subject.to_string());
        self.count(dtypes.len());
        dtypes.iter().for_each(|dtype| self.text(dtype.name()));
        self.count(orders.len());
        orders
            .iter()
            .for_each(|order| self.text(&order.to_string()));
        self.count(*channel_multiple);
        self.text(match support {
            Support::Slow => "slow",
            Support::Fast => "fast",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Fnv;

    /// The published values of FNV-1a 128 for "" and "a".
    #[test]
    fn fnv_is_fnv() {
        assert_eq!(Fnv::new().0, 0x6c62272e07bb014262b821756295c58d);
        let mut a = Fnv::new();
        a.bytes(b"a");
        assert_eq!(a.0, 0xd228cb696f1a8caf78912b704e4a8964);
    }
}
