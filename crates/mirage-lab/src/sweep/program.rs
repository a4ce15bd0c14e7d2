//! A compiled graph that runs over and over on inputs of its own.

use std::time::{Duration, Instant};

use mirage_backend::{Backend, BackendError, Buffer, CompileOptions, Executable, MemoryReport};
use mirage_bench::measure::Subject;
use mirage_ir::{Graph, OpError, Params, TensorData};
use serde::{Deserialize, Serialize};

use crate::sweep::Values;

/// A sample lasts at least about this long, so that the clock's step and a call's cost do not show:
/// what is shorter runs several times a sample.
const SAMPLE: Duration = Duration::from_micros(200);
/// An execution of this length is sampled by itself, whatever the ones after it take.
const LONG: Duration = Duration::from_millis(500);

/// The most executions of one sample.
const MAX_REPEATS: u32 = 1000;

/// The most sets of inputs.
const MAX_SETS: u64 = 64;

/// Why a graph cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Its inputs cannot be made.
    #[error("{0}")]
    Data(#[from] OpError),
    /// It cannot be compiled or run.
    #[error("{0}")]
    Backend(#[from] BackendError),
}

/// Sets of inputs that executions take in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// How many sets.
    pub sets: u64,
    /// Bytes of one set.
    pub bytes_a_set: u64,
    /// Whether all sets together fill what was asked for, so that an execution does not find its
    /// inputs in a cache of that size.
    pub beyond_cache: bool,
}

/// A compiled graph with its inputs. As a [`Subject`] it tells the mean time of executions one after
/// the other, from the first one's start to the device having done the last.
pub struct Program {
    executable: Box<dyn Executable>,
    sets: Vec<Vec<Buffer>>,
    outputs: Vec<Buffer>,
    rotation: Rotation,
    next: usize,
    /// Executions a sample; 0 before the first.
    repeats: u32,
}

impl Rotation {
    /// So many sets of a graph's inputs that they take `bytes` together, but no more than 64, and one
    /// at least; `cache` is the size of the largest cache that they may lie in.
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
    /// Compiles a graph and makes its inputs; the seed is theirs.
    ///
    /// # Errors
    /// What the backend says.
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

    /// Values for a graph's parameters, [`Values::Positive`].
    ///
    /// # Errors
    /// None for the dtypes that there are.
    pub fn params(graph: &Graph, seed: u64) -> Result<Params, ProgramError> {
        let params = graph.all_params().into_iter().enumerate();
        let data = params.map(|(i, (name, ty))| {
            let data = Values::Positive.data(ty, seed.wrapping_add(i as u64));
            data.map(|data| (name.to_owned(), data))
        });
        Ok(data.collect::<Result<_, _>>()?)
    }

    /// What it holds.
    pub fn memory(&self) -> MemoryReport {
        self.executable.memory()
    }

    /// Its sets of inputs.
    pub fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// Executions a sample; 0 before the first sample.
    pub fn repeats(&self) -> u32 {
        self.repeats
    }

    /// The results on the first set of inputs.
    ///
    /// # Errors
    /// What the backend says.
    pub fn results(&mut self) -> Result<Vec<TensorData>, ProgramError> {
        self.next = 0;
        self.execute(1)?;
        let outputs = self.outputs.iter();
        Ok(outputs
            .map(|o| self.executable.download(o))
            .collect::<Result<_, _>>()?)
    }

    /// Executes so many times and tells the time of all.
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
            // The first execution is not like the others, unless it is so long that nothing can be.
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
