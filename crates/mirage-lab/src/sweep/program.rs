//! A compiled graph that runs repeatedly on random inputs.

use std::time::{Duration, Instant};

use mirage_backend::{Backend, BackendError, Buffer, CompileOptions, Executable, MemoryReport};
use mirage_bench::measure::Subject;
use mirage_ir::{Graph, OpError, Params, TensorData};
use serde::{Deserialize, Serialize};

use crate::sweep::Values;

/// The minimum length of a sample, to hide the resolution of the clock and the cost of a call; shorter
/// executions are repeated within a sample.
const SAMPLE: Duration = Duration::from_micros(200);
/// An execution of at least this length is one sample.
const LONG: Duration = Duration::from_millis(500);

/// The maximum number of executions per sample.
const MAX_REPEATS: u32 = 1000;

/// The maximum number of input sets.
const MAX_SETS: u64 = 64;

/// Why a graph cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The inputs cannot be created.
    #[error("{0}")]
    Data(#[from] OpError),
    /// The graph cannot be compiled or run.
    #[error("{0}")]
    Backend(#[from] BackendError),
}

/// Sets of inputs that executions use in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The number of sets.
    pub sets: u64,
    /// Bytes of one set.
    pub bytes_a_set: u64,
    /// Whether all sets together are larger than the cache, so that an execution does not find its inputs in
    /// the cache.
    pub beyond_cache: bool,
}

/// A compiled graph with its inputs. As a [`Subject`], it measures the mean time of consecutive executions,
/// until the device has finished the last.
pub struct Program {
    executable: Box<dyn Executable>,
    sets: Vec<Vec<Buffer>>,
    outputs: Vec<Buffer>,
    rotation: Rotation,
    next: usize,
    /// Executions per sample; 0 before the first.
    repeats: u32,
}

impl Rotation {
    /// Returns from 1 to 64 sets of a graph's inputs that take `bytes` together; `cache` is the size of the
    /// largest cache.
    pub fn of(graph: &Graph, bytes: u64, cache: u64) -> Self {
        let inputs = graph.inputs().iter();
        let bytes_a_set = inputs.map(|p| graph.ty(p.value).bytes() as u64).sum();
        let sets = match bytes_a_set {
            0 => 1,
            one => bytes.div_ceil(one).clamp(1, MAX_SETS),
        };
        Rotation {
            sets,
            bytes_a_set,
            beyond_cache: sets > 1 && sets * bytes_a_set > cache,
        }
    }
}

impl Program {
    /// Compiles a graph and creates its inputs from the seed.
    ///
    /// # Errors
    /// If the backend fails.
    pub fn new(
        graph: &Graph,
        params: &Params,
        rotation: Rotation,
        seed: u64,
        backend: &dyn Backend,
        options: &CompileOptions,
    ) -> Result<Self, ProgramError> {
        let executable = backend.compile(graph, params, options)?;
        let mut sets = Vec::new();
        for set in 0..rotation.sets.max(1) {
            let mut buffers = Vec::with_capacity(executable.inputs().len());
            for (i, port) in executable.inputs().iter().enumerate() {
                let data =
                    Values::Centred.data(&port.ty, seed.wrapping_add(1000 * set + i as u64))?;
                buffers.push(executable.upload(&data, &port.ty)?);
            }
            sets.push(buffers);
        }
        Ok(Program {
            executable,
            sets,
            outputs: Vec::new(),
            rotation,
            next: 0,
            repeats: 0,
        })
    }

    /// Returns values for a graph's parameters, [`Values::Positive`].
    ///
    /// # Errors
    /// Never for the known dtypes.
    pub fn params(graph: &Graph, seed: u64) -> Result<Params, ProgramError> {
        let params = graph.all_params().into_iter().enumerate();
        let data = params.map(|(i, (name, ty))| {
            let data = Values::Positive.data(ty, seed.wrapping_add(i as u64));
            data.map(|data| (name.to_owned(), data))
        });
        Ok(data.collect::<Result<_, _>>()?)
    }

    /// Returns its memory.
    pub fn memory(&self) -> MemoryReport {
        self.executable.memory()
    }

    /// Returns its input sets.
    pub fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// Returns the executions per sample; 0 before the first.
    pub fn repeats(&self) -> u32 {
        self.repeats
    }

    /// Returns the results on the first input set.
    ///
    /// # Errors
    /// If the backend fails.
    pub fn results(&mut self) -> Result<Vec<TensorData>, ProgramError> {
        self.next = 0;
        self.execute(1)?;
        let outputs = self.outputs.iter();
        Ok(outputs
            .map(|o| self.executable.download(o))
            .collect::<Result<_, _>>()?)
    }

    /// Executes this many times and returns the total time.
    fn execute(&mut self, times: u32) -> Result<Duration, BackendError> {
        self.executable.synchronize()?;
        let start = Instant::now();
        for _ in 0..times {
            let inputs = &self.sets[self.next];
            match self.outputs.is_empty() {
                true => self.outputs = self.executable.execute(inputs)?,
                false => self.executable.execute_into(inputs, &mut self.outputs)?,
            }
            self.next = (self.next + 1) % self.sets.len();
        }
        self.executable.synchronize()?;
        Ok(start.elapsed())
    }

    fn sample(&mut self) -> Result<Duration, BackendError> {
        if self.repeats == 0 {
            // The first execution is slower; if it is long, that does not matter.
            let first = self.execute(1)?;
            let one = match first < LONG {
                true => self.execute(1)?,
                false => first,
            };
            let fit = SAMPLE.as_nanos().div_ceil(one.as_nanos().max(1));
            self.repeats = u32::try_from(fit).unwrap_or(MAX_REPEATS).min(MAX_REPEATS);
        }
        Ok(self.execute(self.repeats)? / self.repeats)
    }
}

impl Subject for Program {
    fn run(&mut self) -> Result<Duration, String> {
        self.sample().map_err(|e| e.to_string())
    }
}
