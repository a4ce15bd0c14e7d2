//! Convolutions and linear layers with the operations after them, on tensor cores.

pub(crate) mod finish;
pub(crate) mod multiply;
mod pack;
pub(crate) mod plan;
mod single;

use burn_backend::DType as BurnDType;
use burn_cubecl::{Cube, tensor::CubeTensor};
use cubecl::{CubeCount, CubeDim};
use mirage_burn::{Align, Kernel, NodeContext, Packing, Tensor};
use mirage_ir::{
    DType, Graph, Node, Order, TensorType,
    ops::Conv,
    regions::{Activation, ConvAct, LinearAct, Product as Fused},
};

use self::{
    finish::PartsLaunch,
    multiply::{SplitLaunch, WindowLaunch},
    plan::Plan,
};
use super::{
    chip::Chip,
    device::{argument, cubes, element, empty, in_sequence, line},
};

const CONVOLUTION: Packing = Packing("convolution in panels");
const LINEAR: Packing = Packing("linear layer in panels");
/// Units of a cube that finishes a product.
pub(crate) const FINISH_UNITS: usize = 128;

fn takes(chip: &Chip, x: &TensorType, weight: &TensorType) -> bool {
    let small = |n: usize| i32::try_from(n).is_ok();
    chip.multiplies(x.dtype)
        && x.numel() > 0
        && weight.numel() > 0
        && small(x.numel())
        && small(weight.numel())
}

fn takes_convolution(chip: &Chip, op: &Conv, x: &TensorType, weight: &TensorType) -> bool {
    x.rank() == 4 && op.groups == 1 && takes(chip, x, weight)
}

/// Returns the preferred form of a node's weight, operand 1.
pub(crate) fn packing(chip: &Chip, graph: &Graph, node: &Node) -> Option<Packing> {
    let operands = node.inputs.len();
    let (x, weight) = (
        graph.ty(*node.inputs.first()?),
        graph.ty(*node.inputs.get(1)?),
    );
    if let Some(conv) = ConvAct::of(&node.op, operands) {
        return takes_convolution(chip, &conv.op, x, weight).then_some(CONVOLUTION);
    }
    LinearAct::of(&node.op, operands)?;
    takes(chip, x, weight).then_some(LINEAR)
}

/// Packs a weight in that form.
pub(crate) fn pack(packing: Packing, ty: &TensorType, weight: Tensor<Cube>) -> Tensor<Cube> {
    if packing == CONVOLUTION {
        pack::convolution(ty, weight)
    } else {
        pack::linear(ty, weight)
    }
}

/// Returns the kernel of a node, if it is one of these and the device has tensor cores for it.
pub(crate) fn lower(chip: &Chip, cx: &NodeContext<'_, Cube>) -> Option<Kernel<Cube>> {
    let operands = cx.inputs.len();
    let (x, weight) = (cx.inputs.first()?, cx.inputs.get(1)?);
    if let Some(conv) = ConvAct::of(&cx.node.op, operands) {
        return takes_convolution(chip, &conv.op, x, weight)
            .then(|| Product::of_convolution(chip, cx, &conv).kernel(CONVOLUTION));
    }
    let linear = LinearAct::of(&cx.node.op, operands)?;
    takes(chip, x, weight).then(|| Product::of_linear(chip, cx, &linear).kernel(LINEAR))
}

/// The numbers of [`multiply::Window`].
#[derive(Clone, Copy, Debug)]
struct Window {
    rows: usize,
    input: [usize; 2],
    output: [usize; 2],
    channels: usize,
    taps: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
}

/// The properties of a product that do not depend on elements.
struct Product {
    window: Window,
    columns: usize,
    plan: Plan,
    has_bias: bool,
    residual: Option<(usize, Align)>,
    activation: Activation,
    /// The conversion from the order of x to the one that the product reads.
    enter: Align,
    /// The conversion from the order that it writes to that of the result.
    leave: Align,
    /// The dimensions of what it writes.
    shape: Vec<usize>,
    packed: bool,
    weight: TensorType,
}

impl Product {
    fn of_convolution(chip: &Chip, cx: &NodeContext<'_, Cube>, fused: &ConvAct) -> Self {
        let (x, weight, out) = (&cx.inputs[0], &cx.inputs[1], &cx.outputs[0]);
        let two = |v: &[usize]| [v[0], v[1]];
        let window = Window {
            rows: out.shape[0] * out.shape[2] * out.shape[3],
            input: two(&x.shape[2..]),
            output: two(&out.shape[2..]),
            channels: x.shape[1],
            taps: two(&weight.shape[2..]),
            stride: two(&fused.op.stride),
            padding: two(&fused.op.padding),
            dilation: two(&fused.op.dilation),
        };
        // A 1x1 window does not read neighbours.
        let plain = window.taps == [1, 1] && window.stride == [1, 1] && window.padding == [0, 0];
        let last = Order::channels_last(4);
        Product::new(chip, cx, fused, window, weight.shape[0], plain, &last)
    }

    fn of_linear(chip: &Chip, cx: &NodeContext<'_, Cube>, fused: &LinearAct) -> Self {
        let weight = &cx.inputs[1];
        let [depth, columns] = [weight.shape[0], weight.shape[1]];
        let rows = cx.inputs[0].numel() / depth;
        let window = Window {
            rows,
            input: [1, rows],
            output: [1, rows],
            channels: depth,
            taps: [1, 1],
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
        };
        let order = Order::row_major(cx.inputs[0].rank());
        Product::new(chip, cx, fused, window, columns, true, &order)
    }

    fn new<T>(
        chip: &Chip,
        cx: &NodeContext<'_, Cube>,
        fused: &Fused<T>,
        window: Window,
        columns: usize,
        plain: bool,
        order: &Order,
    ) -> Self {
        let depth = window.channels * window.taps[0] * window.taps[1];
        let out = &cx.outputs[0];
        let written = out.clone().with_order(order.clone());
        let last = cx.inputs.len() - 1;
        Product {
            window,
            columns,
            plan: Plan::new(
                window.rows,
                columns,
                depth,
                plain,
                super::arithmetic(cx.graph, cx.inputs[0].dtype),
                chip.processors,
            ),
            has_bias: fused.bias,
            residual: fused
                .residual
                .then(|| (last, Align::new(&cx.inputs[last], order))),
            activation: fused.activation,
            enter: Align::new(&cx.inputs[0], order),
            leave: Align::new(&written, &out.order),
            shape: written.physical_shape(),
            packed: cx.packed[1],
            weight: cx.inputs[1].clone(),
        }
    }

    fn kernel(self, form: Packing) -> Kernel<Cube> {
        Box::new(move |args| {
            let x = in_sequence(self.enter.lay_out(args.take(0)));
            let weight = match (self.packed, args.take(1)) {
                (true, packed) => in_sequence(packed),
                (false, weight) => in_sequence(pack(form, &self.weight, weight)),
            };
            let bias = self.has_bias.then(|| in_sequence(args.take(2)));
            let residual = self.residual.as_ref();
            let residual = residual.map(|(i, align)| in_sequence(align.lay_out(args.take(*i))));
            let out = self.run(&x, &weight, bias.as_ref(), residual.as_ref());
            args.set(0, self.leave.lay_out(Tensor::Float(out)));
            Ok(())
        })
    }

    fn run(
        &self,
        x: &CubeTensor,
        weight: &CubeTensor,
        bias: Option<&CubeTensor>,
        residual: Option<&CubeTensor>,
    ) -> CubeTensor {
        let parts = self.plan.cubes[2];
        let partial = empty(x, &[parts * self.plan.part()], BurnDType::F32);
        self.multiply(x, weight, &partial);
        let out = empty(x, &self.shape, x.dtype);
        self.finish(&partial, bias, residual, &out);
        out
    }

    #[allow(unsafe_code)]
    fn multiply(&self, x: &CubeTensor, weight: &CubeTensor, partial: &CubeTensor) {
        let (w, plan) = (&self.window, &self.plan);
        let each = line(&[w.channels], x.dtype);
        let moved = plan.tile.line();
        let [across, down, parts] = plan.cubes.map(|n| n as u32);
        let window = WindowLaunch::new(
            w.rows as u32,
            w.input[0] as i32,
            w.input[1] as i32,
            w.output[0] as u32,
            w.output[1] as u32,
            w.channels as u32,
            w.taps[1] as u32,
            (w.taps[0] * w.taps[1]) as u32,
            w.stride[0] as i32,
            w.stride[1] as i32,
            w.padding[0] as i32,
            w.padding[1] as i32,
            w.dilation[0] as i32,
            w.dilation[1] as i32,
        );
        // SAFETY: rows beyond the last and taps beyond the border are not read; the weight and the
        // partial sums have whole tiles.
        unsafe {
            multiply::multiply::launch_unchecked(
                &x.client,
                CubeCount::Static(across, down, parts),
                CubeDim::new_1d(plan.tile.units() as u32),
                each,
                moved,
                argument(x, each),
                argument(weight, moved),
                argument(partial, 1),
                window,
                SplitLaunch::new(plan.tiles as u32, plan.tiles_each as u32),
                plan.tile,
                element(x),
            );
        }
    }

    #[allow(unsafe_code)]
    fn finish(
        &self,
        partial: &CubeTensor,
        bias: Option<&CubeTensor>,
        residual: Option<&CubeTensor>,
        out: &CubeTensor,
    ) {
        let each = line(&[self.columns], BurnDType::F32);
        let len = self.window.rows * self.columns / each;
        let parts = PartsLaunch::new(
            (self.columns / each) as u32,
            len as u32,
            (self.plan.pitch() / each) as u32,
            (self.plan.part() / each) as u32,
            self.plan.cubes[2] as u32,
        );
        // SAFETY: no unit goes beyond the result, which the partial sums cover.
        unsafe {
            finish::finish::launch_unchecked(
                &out.client,
                cubes(len, FINISH_UNITS),
                CubeDim::new_1d(FINISH_UNITS as u32),
                each,
                argument(partial, each),
                bias.map(|b| argument(b, each)).into(),
                residual.map(|r| argument(r, each)).into(),
                argument(out, each),
                parts,
                self.activation,
                element(out),
            );
        }
    }
}

/// The element types that products have kernels for.
pub(crate) const DTYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
