//! `mirage infer`.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use mirage_backend::Backend;
use mirage_ir::{
    DType, Graph, Params, TensorData,
    interp::{self, Elements, Tensor},
};
use mirage_model::{Size, TensorSpec};
use mirage_pass::{Manager, Registry};
use mirage_stream::{MemoryReportBytes, capture_forward, prepare};
use serde::Serialize;

use crate::{
    args::{BackendArgs, ModelArgs, PassArgs, SizeArg},
    error::{CliError, Ending, Result},
    file::WholeFile,
    output::Stream,
    resident::Resident,
    table::{Align, Rows, bold, text},
    tensors, units,
};

const EXAMPLES: &str = "\
Examples:
  mirage infer --inputs in.safetensors --output out.safetensors
  mirage infer --inputs in.safetensors --output fp16.safetensors --passes fp16,sdpa
  mirage infer --inputs in.safetensors --output exact.safetensors --reference

The inputs of lsd-* are sample, frame and previous (f32 [B,3,H,W], pictures in [-1, 1]), timestep
(i64 [B]) and its state (mirage models show NAME), those of stress-* are input, previous and timestep;
outputs are `output` and the new state.";

/// Run one forward pass of a model on tensors from a file
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InferArgs {
    /// The input tensors
    #[arg(long, value_name = "FILE.safetensors")]
    inputs: PathBuf,
    /// The file for the output tensors; there only when it is whole
    #[arg(long, value_name = "FILE.safetensors")]
    output: PathBuf,
    /// Pictures in a batch; by default what the input with the picture has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Size of the pictures; by default what the input with the picture has
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArg>,
    /// Compute the graph by its definition in f64 instead of on the backend: slow, for comparisons
    #[arg(long)]
    reference: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    passes: PassArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

/// What a forward pass gave, as JSON has it.
#[derive(Serialize)]
struct InferJson {
    model: String,
    trained: bool,
    engine: String,
    compile_ms: f64,
    forward_ms: f64,
    memory: Option<MemoryJson>,
    outputs: Vec<OutputJson>,
    notes: Vec<String>,
    output: String,
}

/// Bytes that an executable holds, and the process with it, after the forward pass.
#[derive(Clone, Copy, Serialize)]
struct MemoryJson {
    #[serde(flatten)]
    executable: MemoryReportBytes,
    resident: Option<Resident>,
}

#[derive(Serialize)]
struct OutputJson {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    min: f64,
    max: f64,
}

impl MemoryJson {
    /// A line for people.
    fn text(&self) -> String {
        let MemoryReportBytes {
            weights,
            planned_peak,
            ..
        } = self.executable;
        let process = self.resident.map_or(String::new(), |r| {
            let (now, peak) = (units::bytes(r.now), units::bytes(r.peak));
            format!("; the process holds {now}, at most {peak}")
        });
        format!(
            "memory: {} of weights, {} of activations planned{process}\n",
            units::bytes(weights),
            units::bytes(planned_peak)
        )
    }
}

/// The outputs of a forward pass by name, and how long it took.
struct Forward {
    outputs: Vec<(String, TensorData)>,
    compile: Duration,
    time: Duration,
    engine: String,
    notes: Vec<String>,
    memory: Option<MemoryJson>,
}

impl InferArgs {
    pub(crate) fn run(&self) -> Result<()> {
        let config = self.model.config()?;
        if let Some(SizeArg(size)) = self.size {
            config.validate_size(size).usage()?;
        }
        let plan = self.passes.plan(&Registry::linked().failure()?)?;
        let backend = self.backend.resolve()?;

        let given = tensors::read(&self.inputs)?;
        let file = WholeFile::create(&self.output)?;
        let model = self.model.build(&config)?;
        let (batch, size) = self.shape(&given, model.picture_input(), config.size)?;
        let specs = model
            .input_specs(batch, size.height, size.width)
            .failure()?;
        let inputs = self.check(given, &specs)?;
        let captured = capture_forward(&model, batch, size).failure()?;
        let trained = model.is_trained();
        drop(model);

        let forward = if self.reference {
            let capabilities = backend.capabilities(self.backend.device);
            let (graph, _) = Manager::new()
                .run(&plan, &captured.graph, &capabilities)
                .failure()?;
            by_definition(&graph, &captured.params, &inputs)?
        } else {
            let prepared = prepare(
                &captured,
                &plan,
                &mut Manager::new(),
                backend,
                &self.backend.options(),
            )
            .failure()?;
            // The executable has the weights in its own form.
            drop(captured);
            on_backend(prepared, backend, &inputs)?
        };
        file.finish(&tensors::write(&forward.outputs, &config.name)?)?;
        self.tell(&config.name, trained, &forward)
    }

    /// Batch and size: as asked for, else as the model's picture among the inputs has them.
    fn shape(
        &self,
        given: &[(String, TensorData)],
        picture: &str,
        default: Size,
    ) -> Result<(usize, Size)> {
        let shape = given
            .iter()
            .find(|(name, _)| name == picture)
            .map(|(_, data)| &data.shape[..]);
        let (batch, size) = match shape {
            Some(&[batch, _, height, width]) => (batch, Size { width, height }),
            _ => (1, default),
        };
        let batch = self.batch.map_or(batch, |n| n as usize);
        Ok((batch, self.size.map_or(size, |s| s.0)))
    }

    /// The inputs in the sequence of the specs. The error lists everything that does not fit.
    fn check(
        &self,
        mut given: Vec<(String, TensorData)>,
        specs: &[TensorSpec],
    ) -> Result<Vec<(String, TensorData)>> {
        let mut inputs = Vec::with_capacity(specs.len());
        let mut faults = Vec::new();
        let names: Vec<String> = given.iter().map(|(name, _)| name.clone()).collect();
        for spec in specs {
            let takes = format!("{}{:?}", dtype(spec), spec.shape);
            match given.iter().position(|(name, _)| *name == spec.name) {
                None => faults.push(format!("`{}` ({takes}) is missing", spec.name)),
                Some(at) => {
                    let (name, data) = given.swap_remove(at);
                    if data.shape != spec.shape || data.dtype.name() != dtype(spec) {
                        faults.push(format!(
                            "`{name}` is {}{:?}, the model takes {takes}",
                            data.dtype, data.shape
                        ));
                    }
                    inputs.push((name, data));
                }
            }
        }
        for (name, _) in &given {
            let free = specs
                .iter()
                .map(|s| s.name.as_str())
                .filter(|s| !names.iter().any(|n| n == s));
            let hint = match mirage_pass::nearest(name, free) {
                Some(near) => format!(": did you mean `{near}`?"),
                None => String::new(),
            };
            faults.push(format!("`{name}` is no input of the model{hint}"));
        }
        match &faults[..] {
            [] => Ok(inputs),
            _ => Err(CliError::Failure(format!(
                "{}: {}",
                self.inputs.display(),
                faults.join("; ")
            ))),
        }
    }

    fn tell(&self, model: &str, trained: bool, forward: &Forward) -> Result<()> {
        let outputs = forward
            .outputs
            .iter()
            .map(|(name, data)| describe(name, data));
        let result = InferJson {
            model: model.to_owned(),
            trained,
            engine: forward.engine.clone(),
            compile_ms: forward.compile.as_secs_f64() * 1e3,
            forward_ms: forward.time.as_secs_f64() * 1e3,
            memory: forward.memory,
            outputs: outputs.collect::<Result<_>>()?,
            notes: forward.notes.clone(),
            output: self.output.display().to_string(),
        };
        if self.json {
            return Stream::Stdout.emit_json(&result);
        }
        let columns = [
            ("output", Align::Left),
            ("type", Align::Left),
            ("min", Align::Right),
            ("max", Align::Right),
        ];
        let mut rows = Rows::new(Stream::Stdout, &columns);
        for o in &result.outputs {
            let ty = format!("{}{:?}", o.dtype, o.shape);
            rows.row([
                bold(&o.name),
                text(ty),
                text(format!("{:.4}", o.min)),
                text(format!("{:.4}", o.max)),
            ]);
        }
        let untrained = if result.trained {
            ""
        } else {
            ", untrained weights"
        };
        let notes: String = forward
            .notes
            .iter()
            .map(|n| format!("note: {n}\n"))
            .collect();
        Stream::Stdout.emit(&format!(
            "{rows}\n{}{untrained}: {} on {}, after compiling for {} → {}\n{}{notes}",
            result.model,
            units::duration(forward.time),
            result.engine,
            units::duration(forward.compile),
            result.output,
            forward.memory.map_or(String::new(), |m| m.text()),
        ))
    }
}

fn dtype(spec: &TensorSpec) -> String {
    format!("{:?}", spec.dtype).to_lowercase()
}

/// On the backend. A pass may have changed the inputs' dtypes.
fn on_backend(
    prepared: mirage_stream::Prepared,
    backend: &dyn Backend,
    inputs: &[(String, TensorData)],
) -> Result<Forward> {
    let mut executable = prepared.executable;
    let mut buffers = Vec::with_capacity(inputs.len());
    for port in executable.inputs() {
        let data = find(inputs, &port.name)?;
        let data = match data.dtype == port.ty.dtype {
            true => data.clone(),
            false => Tensor::from_data(data)
                .and_then(|t| t.to_data(port.ty.dtype))
                .failure()?,
        };
        buffers.push(executable.upload(&data, &port.ty).failure()?);
    }
    let start = Instant::now();
    let results = executable.execute(&buffers).failure()?;
    executable.synchronize().failure()?;
    let time = start.elapsed();
    let outputs = executable
        .outputs()
        .iter()
        .zip(&results)
        .map(|(port, buffer)| {
            Ok((
                port.name.to_string(),
                executable.download(buffer).failure()?,
            ))
        });
    Ok(Forward {
        outputs: outputs.collect::<Result<_>>()?,
        compile: prepared.compile_time,
        time,
        engine: format!("{} ({})", backend.info().name, backend.info().engine),
        notes: executable.notes().to_vec(),
        memory: Some(MemoryJson {
            executable: executable.memory().into(),
            resident: Resident::read(),
        }),
    })
}

/// By the definition of every operation, in f64; the results are rounded to the outputs' dtypes.
fn by_definition(
    graph: &Graph,
    params: &Params,
    inputs: &[(String, TensorData)],
) -> Result<Forward> {
    let tensors = graph
        .inputs()
        .iter()
        .map(|port| Tensor::from_data(find(inputs, &port.name)?).failure());
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let run = interp::run(graph, params, &tensors, &[]).failure()?;
    let time = start.elapsed();
    let outputs = graph
        .outputs()
        .iter()
        .zip(&run.outputs)
        .map(|(port, tensor)| {
            Ok((
                port.name.to_string(),
                tensor.to_data(graph.ty(port.value).dtype).failure()?,
            ))
        });
    Ok(Forward {
        outputs: outputs.collect::<Result<_>>()?,
        compile: Duration::ZERO,
        time,
        engine: "the f64 reference interpreter".to_owned(),
        notes: Vec::new(),
        memory: None,
    })
}

fn find<'a>(tensors: &'a [(String, TensorData)], name: &str) -> Result<&'a TensorData> {
    let found = tensors.iter().find(|(n, _)| n == name);
    found.map(|(_, data)| data).ok_or_else(|| {
        CliError::Failure(format!(
            "the graph has an input `{name}` that the model has not"
        ))
    })
}

fn describe(name: &str, data: &TensorData) -> Result<OutputJson> {
    let tensor = Tensor::from_data(data).failure()?;
    let values: Vec<f64> = match tensor.elements() {
        Elements::Float(v) => v.clone(),
        Elements::Int(v) => v.iter().map(|&x| x as f64).collect(),
        Elements::Bool(v) => v.iter().map(|&x| f64::from(u8::from(x))).collect(),
    };
    Ok(OutputJson {
        name: name.to_owned(),
        dtype: data.dtype,
        shape: data.shape.clone(),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}
