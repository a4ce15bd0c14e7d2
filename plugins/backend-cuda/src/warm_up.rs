//! Warm-up at compile, so that kernels are compiled and tuned before a stream's first frame.

use burn_cubecl::Cube;
use mirage_backend::{BackendError, Buffer, Executable, PortInfo, Ports};
use mirage_burn::{Executor, Tensor};
use mirage_ir::{Graph, TensorData, TensorType, interp};

use crate::backend::failed;

/// Runs once on sample inputs. The states do not change.
///
/// # Errors
/// If the engine fails, for example because memory is full.
pub(crate) fn warm_up(executor: &mut Executor<Cube>, graph: &Graph) -> Result<(), BackendError> {
    let ports = Ports::of(graph);
    let tensors = |executor: &Executor<Cube>, ports: &[PortInfo]| {
        let one = |port: &PortInfo| tensor(executor, &port.ty);
        ports.iter().map(one).collect::<Result<Vec<_>, _>>()
    };
    let inputs = tensors(executor, &ports.inputs)?;
    let states = tensors(executor, &ports.states)?;
    let (outputs, _) = executor.run_once(inputs, states)?;
    // The engine reports that memory is full when a result is read.
    for (tensor, port) in outputs.into_iter().zip(&ports.outputs) {
        executor.download(&Buffer::new(port.ty.clone(), tensor))?;
    }
    executor.synchronize()
}

fn tensor(executor: &Executor<Cube>, ty: &TensorType) -> Result<Tensor<Cube>, BackendError> {
    let buffer = executor.upload(&sample(ty)?, ty)?;
    let tensor = buffer.content::<Tensor<Cube>>().cloned();
    tensor.ok_or_else(|| failed("a buffer is on another backend".to_owned()))
}

/// Elements such as a stream has: floats spread over [-1, 1], whole numbers zero, which is a place in
/// every table and a step of every schedule.
pub(crate) fn sample(ty: &TensorType) -> Result<TensorData, BackendError> {
    let (shape, count) = (ty.shape.clone(), ty.numel());
    let wrong = |e: String| failed(format!("no sample of {ty}: {e}"));
    if !ty.dtype.is_float() {
        return TensorData::new(ty.dtype, shape, vec![0; ty.bytes()]).map_err(wrong);
    }
    let data = TensorData::from_f32(shape, &spread(count)).map_err(wrong)?;
    interp::Tensor::from_data(&data)
        .and_then(|tensor| tensor.to_data(ty.dtype))
        .map_err(|e| wrong(e.to_string()))
}

/// Values that fill [-1, 1] evenly, always the same: multiples of the golden ratio's fraction.
fn spread(count: usize) -> Vec<f32> {
    const GOLDEN: u32 = 0x9E37_79B9;
    let value = |i: usize| {
        let turn = (i as u32).wrapping_mul(GOLDEN) >> 8;
        turn as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use mirage_ir::DType;

    use super::*;

    #[test]
    fn a_sample_has_its_type_and_spreads() {
        for dtype in [DType::F32, DType::F16, DType::BF16, DType::I64, DType::Bool] {
            let ty = TensorType::new(dtype, vec![3, 50]);
            let data = sample(&ty).expect("there is a sample of every type");
            assert_eq!((data.dtype, &data.shape), (dtype, &ty.shape));
        }
        let values = spread(1000);
        let below = values.iter().filter(|v| **v < 0.0).count();
        assert!((490..510).contains(&below), "{below}");
        assert!(values.iter().all(|v| (-1.0..1.0).contains(v)));
    }
}
