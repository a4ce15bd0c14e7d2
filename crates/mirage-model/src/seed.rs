//! Seeded weights: the same on every run, machine and device.
//!
//! Each parameter has its own random stream, seeded by the seed and the parameter's path, so adding a layer does not change
//! the weights of others. Numbers are computed by integer arithmetic and correctly rounded float operations only, without
//! logarithm or cosine, whose last bit differs between systems.

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Tensor, TensorData},
};

use crate::lazy::lazily;

/// A parameter's position in a module tree.
#[derive(Debug)]
pub(crate) struct ParameterSite<'a> {
    /// Its path, e.g. `down.0.block.1.conv1.weight`.
    pub(crate) path: &'a str,
    /// Its shape.
    pub(crate) shape: &'a [usize],
}

/// Mean and standard deviation of one element of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gaussian {
    pub(crate) mean: f32,
    pub(crate) std: f32,
}

impl Gaussian {
    pub(crate) fn scaled(self, by: f32) -> Self {
        Self {
            mean: self.mean * by,
            std: self.std * by,
        }
    }
}

/// The distribution of each element of a parameter, by its row-major index.
pub(crate) type Distribution = Box<dyn Fn(usize) -> Gaussian + Send + Sync>;

/// A network that defines the distribution of its untrained weights.
pub(crate) trait Seeding: Module {
    /// Returns the distribution of the parameter's elements.
    fn distribution(site: &ParameterSite<'_>) -> Distribution;
}

/// Returns the default distribution: norms near identity, small biases, weights with variance 1/inputs.
pub(crate) fn standard(site: &ParameterSite<'_>) -> Distribution {
    let (mean, std) = match (site.path.rsplit('.').next(), site.shape) {
        (Some("gamma"), _) => (1.0, 0.05),
        (Some("beta"), _) => (0.0, 0.05),
        (Some("bias"), _) => (0.0, 0.02),
        (_, [_, inputs, height, width]) => (0.0, deviation(inputs * height * width)),
        (_, [inputs, _]) => (0.0, deviation(*inputs)),
        _ => (0.0, 1.0),
    };
    Box::new(move |_| Gaussian { mean, std })
}

fn deviation(inputs: usize) -> f32 {
    1.0 / (inputs as f32).sqrt()
}

/// Replaces every parameter by its seeded values, which are computed when they are first used.
pub(crate) fn seeded<M: Seeding>(module: M, seed: u64) -> M {
    module.map(&mut Seeder::<M> {
        seed,
        path: Vec::new(),
        network: std::marker::PhantomData,
    })
}

struct Seeder<M> {
    seed: u64,
    path: Vec<String>,
    network: std::marker::PhantomData<M>,
}

impl<M: Seeding> ModuleMapper for Seeder<M> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (path, seed) = (self.path.join("."), self.seed);
        lazily(&param, move |shape| {
            let site = ParameterSite {
                path: &path,
                shape: shape.as_slice(),
            };
            let stream = Stream::new(seed, &path);
            let values = draw(stream, shape.num_elements(), &M::distribution(&site));
            TensorData::new(values, shape)
        })
    }
}

/// Fewer elements are computed without threads.
const A_THREAD: usize = 1 << 18;

/// Returns `count` numbers of a distribution. A number depends on its index alone, whatever the number of threads.
fn draw(stream: Stream, count: usize, distribution: &Distribution) -> Vec<f32> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = count.div_ceil(cores).max(A_THREAD);
    let fill = |from: usize, values: &mut [f32]| {
        let mut stream = stream.skip(from);
        for (at, value) in (from..).zip(values) {
            let Gaussian { mean, std } = distribution(at);
            *value = mean + std * stream.normal();
        }
    };
    let mut values = vec![0.0; count];
    if count <= part {
        fill(0, &mut values);
        return values;
    }
    std::thread::scope(|scope| {
        for (at, values) in values.chunks_mut(part).enumerate() {
            let fill = &fill;
            scope.spawn(move || fill(at * part, values));
        }
    });
    values
}

/// A stream of approximately normal numbers.
#[derive(Clone, Copy)]
struct Stream(u64);

/// The increment of SplitMix64's state.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

impl Stream {
    /// Returns the stream of this seed and name: FNV-1a of the name, mixed with the seed.
    fn new(seed: u64, name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut stream = Self(hash);
        Self(stream.next().wrapping_add(seed).wrapping_mul(STRIDE))
    }

    /// Returns the stream after `count` numbers.
    fn skip(self, count: usize) -> Self {
        Self(self.0.wrapping_add(STRIDE.wrapping_mul(count as u64)))
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STRIDE);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Mean 0, standard deviation 1, at most 3.5 from 0: the sum of four uniform numbers (Irwin–Hall).
    fn normal(&mut self) -> f32 {
        let bits = self.next();
        let sum: u32 = (0..4)
            .map(|part| (bits >> (16 * part)) as u32 & 0xffff)
            .sum();
        // Four times the mean 65535/2, and the deviation of the sum, 65536·√(4/12), rounded.
        (sum as f32 - 131_070.0) / 37_837.227
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_standard_normal_enough() {
        let mut stream = Stream::new(7, "a.weight");
        let values: Vec<f64> = (0..200_000).map(|_| f64::from(stream.normal())).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.01, "{variance}");
    }

    #[test]
    fn numbers_are_pinned() {
        // A change here changes the output of every untrained network.
        let mut stream = Stream::new(0, "mix.weight");
        let bits: Vec<u32> = (0..3).map(|_| stream.normal().to_bits()).collect();
        assert_eq!(bits, PINNED);
    }

    /// Computed independently outside of Rust.
    const PINNED: [u32; 3] = [1_027_763_255, 1_067_216_575, 1_067_827_809];

    #[test]
    fn threads_change_nothing() {
        let stream = Stream::new(3, "a.weight");
        let count = 2 * A_THREAD + 17;
        let distribution: Distribution = Box::new(|at| Gaussian {
            mean: at as f32,
            std: 1.0,
        });
        let mut one_by_one = stream;
        for (at, value) in draw(stream, count, &distribution).into_iter().enumerate() {
            assert_eq!(value, at as f32 + one_by_one.normal(), "{at}");
        }
    }

    #[test]
    fn seeds_and_names_tell_streams_apart() {
        let first = |seed, name| Stream::new(seed, name).normal().to_bits();
        let all = [first(0, "a"), first(1, "a"), first(0, "b"), first(1, "b")];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
