//! A model that this workspace does not know streams: its own channels, states and conditioning inputs.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use burn::{
    module::{Module, Param},
    tensor::{DType, Device, Int, Tensor},
};
use mirage_ir::{
    DType as IrDType, TensorData,
    interp::{self, Tensor as Value},
};
use mirage_model::{
    FrameFormat, NamedTensors, Size, StepInput, StepOutput, StreamModel, TensorSpec,
};
use mirage_stream::{NoisePolicy, SamplerConfig, Session, Trajectory, capture_frame};

use crate::common::{planned, prepared, registry};

const SIZE: Size = Size {
    width: 6,
    height: 4,
};
const LEN: usize = 5 * 4 * 6;

/// Frames of 5 channels; gives frame·scale + gain[row] + counter, where `row` is a conditioning
/// input of integers.
#[derive(Module, Debug)]
struct Counting {
    gain: Param<Tensor<2>>,
    rename: Option<String>,
}

impl Counting {
    fn new() -> Self {
        let rows = [[0.0_f32, 0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0, 5.0]];
        Counting {
            gain: Param::from_tensor(Tensor::from_data(rows, &Device::flex())),
            rename: None,
        }
    }

    fn scale_name(&self) -> &str {
        self.rename.as_deref().unwrap_or("scale")
    }
}

impl StreamModel for Counting {
    fn denoise(&self, step: StepInput) -> StepOutput {
        let scale = step.conditions.expect::<Tensor<1>>(self.scale_name());
        let row = step.conditions.expect::<Tensor<1, Int>>("row");
        let gain = self.gain.val().select(0, row).reshape([1, 5, 1, 1]);
        let count = step
            .state
            .expect::<Tensor<1>>("count")
            .reshape([1, 1, 1, 1]);
        StepOutput::new(step.frame * scale.reshape([1, 1, 1, 1]) + gain + count)
    }

    fn frame_format(&self) -> FrameFormat {
        FrameFormat::Latents { channels: 5 }
    }

    fn check_size(&self, size: Size) -> Result<(), mirage_model::ModelError> {
        size.check_halvings(self.name(), 1)
    }

    fn condition_specs(&self) -> Vec<TensorSpec> {
        vec![
            TensorSpec::new(self.scale_name(), [1], DType::F32),
            TensorSpec::new("row", [1], DType::I64),
        ]
    }

    fn state_specs(&self, _batch: usize) -> Vec<TensorSpec> {
        vec![TensorSpec::new("count", [1], DType::F32)]
    }

    fn update_state(&self, state: NamedTensors, _last: &StepOutput) -> NamedTensors {
        let count = state.expect::<Tensor<1>>("count").add_scalar(10.0);
        NamedTensors::new(vec![("count".to_owned(), count.into())])
    }
}

fn trajectory(steps: usize) -> Trajectory {
    let config = SamplerConfig {
        steps,
        ..Default::default()
    };
    Trajectory::plan(&Counting::new().schedule(), &config).unwrap()
}

fn session(passes: &str, steps: usize) -> Session {
    let captured = capture_frame(&Counting::new(), SIZE, &trajectory(steps)).unwrap();
    let plan = planned(&registry(), passes);
    Session::new(prepared(&captured, &plan).executable, 1, NoisePolicy::Fixed).unwrap()
}

fn scale(value: f32) -> TensorData {
    TensorData::from_f32([1], &[value]).unwrap()
}

fn row(value: i64) -> TensorData {
    TensorData::from_i64([1], &[value]).unwrap()
}

#[test]
fn states_and_conditions_take_effect_frame_by_frame() {
    let latents: Vec<f32> = (0..LEN).map(|i| i as f32 / 8.0).collect();
    // More than 8 steps are calls, to which conditioning inputs go too.
    for (passes, steps) in [
        ("", 1),
        ("channels_last,fuse,graph_capture", 2),
        ("fuse", 9),
    ] {
        let mut session = session(passes, steps);
        session.set_input("scale", &scale(2.0)).unwrap();
        session.set_input("row", &row(1)).unwrap();
        for frame in 0..3 {
            if frame == 2 {
                session.set_input("row", &row(0)).unwrap();
            }
            let mut output = latents.clone();
            session.run_latents(frame, &mut output).unwrap();
            for (i, (out, x)) in output.iter().zip(&latents).enumerate() {
                let channel = (i / 24) as f32;
                let gain = if frame == 2 { 0.0 } else { channel + 1.0 };
                let want = x * 2.0 + gain + 10.0 * frame as f32;
                assert!(
                    (out - want).abs() < 1e-4,
                    "{passes}: {i} is {out}, not {want}"
                );
            }
        }
    }
}

#[test]
fn halves_take_a_condition_in_f32() {
    let mut session = session("fp16{inputs=true}", 1);
    session.set_input("scale", &scale(0.5)).unwrap();
    session.set_input("row", &row(0)).unwrap();
    let mut output = [3.0; LEN];
    session.run_latents(0, &mut output).unwrap();
    assert!(output.iter().all(|x| (x - 1.5).abs() < 1e-3), "{output:?}");
}

#[test]
fn wrong_conditions_are_refused_by_name() {
    let mut session = session("", 1);
    let mut latents = [0.0; LEN];
    let error = session
        .run_latents(0, &mut latents)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "input `scale` is not set; call `set_input` before the first frame"
    );
    let cases = [
        ("style", scale(0.0), "available: `scale`, `row`"),
        ("frame", scale(0.0), "not a conditioning input"),
        ("scale", row(0), "is i64[1], but the model expects f32[1]"),
        ("row", scale(0.0), "is f32[1], but the model expects i64[1]"),
        (
            "scale",
            TensorData::from_f32([1, 1], &[0.0]).unwrap(),
            "is f32[1, 1], but the model expects f32[1]",
        ),
    ];
    for (name, data, words) in cases {
        let error = session.set_input(name, &data).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("input `{name}`")) && error.contains(words),
            "{error}"
        );
    }
    session.set_input("scale", &scale(0.0)).unwrap();
    session.set_input("row", &row(0)).unwrap();
    let error = session
        .run_latents(0, &mut latents[1..])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("f32[1,5,4,6]") && error.contains("119"),
        "{error}"
    );
    session.run_latents(0, &mut latents).unwrap();
    let mut picture = mirage_video::Frame::new(6, 4, 0).unwrap();
    let error = session.run(&mut picture).unwrap_err().to_string();
    assert!(error.contains("f32[1,5,4,6]"), "{error}");
}

#[test]
fn declarations_that_no_program_has_room_for_are_refused() {
    let refused = |model: &Counting, size| {
        let captured = capture_frame(model, size, &trajectory(1));
        captured.unwrap_err().to_string()
    };
    let odd = Size {
        width: 7,
        height: 4,
    };
    let error = refused(&Counting::new(), odd);
    assert!(
        error.contains("`Counting`") && error.contains("7x4"),
        "{error}"
    );
    for (name, words) in [
        ("noise", "already used"),
        ("count", "already used"),
        ("", "plain word"),
        ("step.0.sample", "plain word"),
    ] {
        let model = Counting {
            rename: Some(name.to_owned()),
            ..Counting::new()
        };
        let error = refused(&model, SIZE);
        let named = format!("model `Counting`: conditioning input `{name}`");
        assert!(
            error.starts_with(&named) && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn the_program_is_what_the_interpreter_computes() {
    let captured = capture_frame(&Counting::new(), SIZE, &trajectory(1)).unwrap();
    let graph = &captured.graph;
    assert_eq!(graph.name(), "Counting");
    let names: Vec<&str> = graph.inputs().iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["frame", "noise", "scale", "row"]);
    let inputs: Vec<Value> = graph
        .inputs()
        .iter()
        .map(|p| {
            let ty = graph.ty(p.value);
            match ty.dtype {
                IrDType::F32 => Value::float(ty.shape.clone(), vec![0.25; ty.numel()]).unwrap(),
                _ => Value::int(ty.shape.clone(), vec![1; ty.numel()]).unwrap(),
            }
        })
        .collect();
    let run = interp::run(graph, &captured.params, &inputs, &[]).unwrap();
    let want: Vec<f32> = (0..LEN).map(|i| 0.0625 + 1.0 + (i / 24) as f32).collect();
    let want = Value::from_data(&TensorData::from_f32([1, 5, 4, 6], &want).unwrap()).unwrap();
    let outputs: Vec<&str> = graph.outputs().iter().map(|p| &*p.name).collect();
    assert_eq!(outputs, ["output", "mean"]);
    assert_eq!(run.outputs[0], want);
}
