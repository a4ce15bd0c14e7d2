//! Resampling and pooling over two dimensions, one kernel each, in the memory order of the
//! operand.

pub(crate) mod pool;
pub(crate) mod resample;

use burn_cubecl::{Cube, tensor::CubeTensor};
use cubecl::CubeDim;
use mirage_burn::{Align, Kernel, NodeContext, Tensor};
use mirage_ir::{
    Order,
    ops::{AvgPool, MaxPool, Resize, ResizeMode},
    same_layout,
};

use self::{
    pool::{GeometryLaunch, Pooling},
    resample::{Resampling, ScaleLaunch},
};
use super::{
    FLOATS,
    device::{argument, cubes, element, empty, in_sequence, line},
    dtype,
};

/// Units of a cube.
pub(crate) const UNITS: usize = 256;
/// More than any picture's side, so that products of two sides and a factor of two are counted in 32 bits.
const SIDE: usize = 1 << 15;

/// Pictures `[images, rows, columns, inner]` as they lie: with channels last the channels are inner, and
/// otherwise they are images.
struct Pictures {
    enter: Align,
    leave: Align,
    /// Of the result, as it is written.
    shape: Vec<usize>,
    from: [usize; 2],
    to: [usize; 2],
    inner: usize,
    /// Elements moved at once.
    each: usize,
    /// Vectors of the result.
    work: usize,
}

impl Pictures {
    fn of(cx: &NodeContext<'_, Cube>) -> Option<Self> {
        let (x, out) = (cx.inputs.first()?, cx.outputs.first()?);
        let counted = i32::try_from(x.numel()).is_ok() && i32::try_from(out.numel()).is_ok();
        let sides = [&x.shape[..], &out.shape[..]].concat();
        let small = sides.iter().all(|&n| n > 0) && counted;
        if x.rank() != 4 || !FLOATS.contains(&x.dtype) || !small {
            return None;
        }
        let (from, to) = ([x.shape[2], x.shape[3]], [out.shape[2], out.shape[3]]);
        if from.iter().chain(&to).any(|&side| side > SIDE) {
            return None;
        }
        let last = same_layout(&x.shape, &x.order, &Order::channels_last(4));
        let order = match last {
            true => Order::channels_last(4),
            false => Order::row_major(4),
        };
        let written = out.clone().with_order(order.clone());
        let inner = if last { x.shape[1] } else { 1 };
        let each = line(&[inner], dtype(x.dtype)?);
        Some(Pictures {
            enter: Align::new(x, &order),
            leave: Align::new(&written, &out.order),
            shape: written.physical_shape(),
            from,
            to,
            inner: inner / each,
            each,
            work: out.numel() / each,
        })
    }

    /// A kernel of one launch, from the pictures to the result, which lie as these say.
    fn kernel(
        self,
        launch: impl Fn(&Pictures, &CubeTensor, &CubeTensor) + Send + Sync + 'static,
    ) -> Kernel<Cube> {
        Box::new(move |args| {
            let x = in_sequence(self.enter.lay_out(args.take(0)));
            let out = empty(&x, &self.shape, x.dtype);
            launch(&self, &x, &out);
            args.set(0, self.leave.lay_out(Tensor::Float(out)));
            Ok(())
        })
    }
}

/// Returns the kernel of a node, if it is one of these.
pub(crate) fn lower(cx: &NodeContext<'_, Cube>) -> Option<Kernel<Cube>> {
    let op = &cx.node.op;
    if let Some(resize) = op.get::<Resize>() {
        return resample(resize, Pictures::of(cx)?);
    }
    let fixed = |v: &[usize]| <[usize; 2]>::try_from(v).ok();
    let window = if let Some(pool) = op.get::<MaxPool>() {
        Window {
            kernel: fixed(&pool.kernel)?,
            stride: fixed(&pool.stride)?,
            padding: fixed(&pool.padding)?,
            dilation: fixed(&pool.dilation)?,
            pooling: Pooling::Max,
        }
    } else {
        let pool = op.get::<AvgPool>()?;
        Window {
            kernel: fixed(&pool.kernel)?,
            stride: fixed(&pool.stride)?,
            padding: fixed(&pool.padding)?,
            dilation: [1, 1],
            pooling: match pool.count_include_pad {
                true => Pooling::MeanOfPadded,
                false => Pooling::Mean,
            },
        }
    };
    pool(&window, Pictures::of(cx)?)
}

/// Returns `None` for bicubic, which burn's kernel computes.
#[allow(unsafe_code)]
fn resample(resize: &Resize, pictures: Pictures) -> Option<Kernel<Cube>> {
    let resampling = match resize.mode {
        ResizeMode::Nearest => Resampling::Nearest,
        ResizeMode::NearestExact => Resampling::NearestExact,
        ResizeMode::Bilinear if resize.align_corners => Resampling::LinearOfCorners,
        ResizeMode::Bilinear => Resampling::Linear,
        ResizeMode::Bicubic => return None,
    };
    let steps = [0, 1].map(|d| resampling.step(pictures.from[d], pictures.to[d]));
    Some(pictures.kernel(move |p, x, out| {
        let scale = ScaleLaunch::new(
            p.from[0] as u32,
            p.from[1] as u32,
            p.to[0] as u32,
            p.to[1] as u32,
            p.inner as u32,
            steps[0],
            steps[1],
        );
        // SAFETY: no unit goes beyond `work`, the vectors of the result; places in x are within its sides.
        unsafe {
            resample::resample::launch_unchecked(
                &x.client,
                cubes(p.work, UNITS),
                CubeDim::new_1d(UNITS as u32),
                p.each,
                argument(x, p.each),
                argument(out, p.each),
                scale,
                p.work as u32,
                resampling,
                element(x),
            );
        }
    }))
}

/// What is pooled, and how.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    pooling: Pooling,
}

#[allow(unsafe_code)]
fn pool(window: &Window, pictures: Pictures) -> Option<Kernel<Cube>> {
    let Window {
        kernel,
        stride,
        padding,
        dilation,
        pooling,
    } = *window;
    let all = [kernel, stride, padding, dilation].concat();
    if all.iter().any(|&n| n > SIDE) {
        return None;
    }
    Some(pictures.kernel(move |p, x, out| {
        let pair = |v: [usize; 2]| (v[0] as i32, v[1] as i32);
        let ((rows, columns), (high, wide)) = (pair(p.from), pair(p.to));
        let ((kernel_y, kernel_x), (stride_y, stride_x)) = (pair(kernel), pair(stride));
        let ((padding_y, padding_x), (step_y, step_x)) = (pair(padding), pair(dilation));
        let window = GeometryLaunch::new(
            rows,
            columns,
            high,
            wide,
            p.inner as u32,
            kernel_y,
            kernel_x,
            stride_y,
            stride_x,
            padding_y,
            padding_x,
            step_y,
            step_x,
        );
        // SAFETY: no unit goes beyond `work`, the vectors of the result; places in x are checked.
        unsafe {
            pool::pool::launch_unchecked(
                &x.client,
                cubes(p.work, UNITS),
                CubeDim::new_1d(UNITS as u32),
                p.each,
                argument(x, p.each),
                argument(out, p.each),
                window,
                p.work as u32,
                pooling,
                element(x),
            );
        }
    }))
}
