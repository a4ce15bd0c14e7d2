//! Norms, alone and with the activation after them, one kernel each.

pub(crate) mod groups;
pub(crate) mod rows;

use burn_cubecl::Cube;
use cubecl::{CubeCount, CubeDim};
use mirage_burn::{Align, Kernel, NodeContext, Tensor};
use mirage_ir::{
    Order,
    ops::{GroupNorm, LayerNorm},
    regions::{Activation, GroupNormSilu, KnownRegion},
    same_layout,
};

use self::groups::ExtentsLaunch;
use super::{
    FLOATS,
    device::{argument, element, empty, in_sequence, line},
    dtype,
};

/// Returns the kernel of a node, if it is one of these.
pub(crate) fn lower(cx: &NodeContext<'_, Cube>) -> Option<Kernel<Cube>> {
    let floats = cx.inputs.iter().all(|t| FLOATS.contains(&t.dtype));
    let small = i32::try_from(cx.inputs.first()?.numel()).is_ok();
    if !floats || !small || cx.inputs[0].numel() == 0 {
        return None;
    }
    if let Some(norm) = cx.node.op.get::<LayerNorm>() {
        return Some(layer_norm(norm, cx));
    }
    let (norm, activation) = match GroupNormSilu::of_region(&cx.node.op) {
        Some(region) => (region.norm, Activation::Silu),
        None => (*cx.node.op.get::<GroupNorm>()?, Activation::None),
    };
    group_norm(&norm, activation, cx)
}

#[allow(unsafe_code)]
fn layer_norm(norm: &LayerNorm, cx: &NodeContext<'_, Cube>) -> Kernel<Cube> {
    let shape = cx.outputs[0].shape.clone();
    let columns = shape[shape.len() - 1];
    let rows = cx.outputs[0].numel() / columns;
    let (enter, leave) = (cx.logical(0), cx.physical());
    let has_beta = cx.inputs.len() == 3;
    let eps = norm.eps as f32;
    Box::new(move |args| {
        let x = in_sequence(enter.lay_out(args.take(0)));
        let gamma = in_sequence(args.take(1));
        let beta = has_beta.then(|| in_sequence(args.take(2)));
        let out = empty(&x, &shape, x.dtype);
        let each = line(&[columns], x.dtype);
        // SAFETY: no unit goes beyond the rows, which x and out have both.
        unsafe {
            rows::normalize_rows::launch_unchecked(
                &x.client,
                CubeCount::Static(rows.div_ceil(rows::ROWS) as u32, 1, 1),
                CubeDim::new_1d(rows::UNITS as u32),
                each,
                argument(&x, each),
                argument(&gamma, each),
                beta.as_ref().map(|b| argument(b, each)).into(),
                argument(&out, each),
                rows as u32,
                (columns / each) as u32,
                eps,
                [element(&x), element(&gamma)],
            );
        }
        args.set(0, leave.lay_out(Tensor::Float(out)));
        Ok(())
    })
}

#[allow(unsafe_code)]
fn group_norm(
    norm: &GroupNorm,
    activation: Activation,
    cx: &NodeContext<'_, Cube>,
) -> Option<Kernel<Cube>> {
    let (x, out) = (&cx.inputs[0], &cx.outputs[0]);
    // In any other order than channels last, a row-major view is normalized.
    let last = same_layout(&x.shape, &x.order, &Order::channels_last(x.rank()));
    let order = match last {
        true => Order::channels_last(x.rank()),
        false => Order::row_major(x.rank()),
    };
    let written = out.clone().with_order(order.clone());
    let (enter, leave) = (Align::new(x, &order), Align::new(&written, &out.order));
    let shape = written.physical_shape();
    let (images, channels, groups) = (x.shape[0], x.shape[1], norm.groups);
    let places: usize = x.shape[2..].iter().product();
    let run = channels / groups;
    let each = line(&[if last { run } else { places }], dtype(x.dtype)?);
    let of_parameters = if last { each } else { 1 };
    let affine = cx.inputs.len() == 3;
    let planes = groups::planes(run * places / each);
    let eps = norm.eps as f32;
    Some(Box::new(move |args| {
        let x = in_sequence(enter.lay_out(args.take(0)));
        let affine = affine.then(|| [1, 2].map(|i| in_sequence(args.take(i))));
        let out = empty(&x, &shape, x.dtype);
        let extents = ExtentsLaunch::new(
            groups as u32,
            (run * places / each) as u32,
            run.div_ceil(each) as u32,
            channels.div_ceil(each) as u32,
            places.div_ceil(each) as u32,
            run as u32,
        );
        let parameter = |i: usize| {
            let one = affine.as_ref().map(|a| argument(&a[i], of_parameters));
            one.into()
        };
        let narrow = affine.as_ref().map_or(element(&x), |a| element(&a[0]));
        // SAFETY: every group's vectors lie in x and in out.
        unsafe {
            groups::normalize_groups::launch_unchecked(
                &x.client,
                CubeCount::Static(groups as u32, images as u32, 1),
                CubeDim::new_1d(groups::units(planes) as u32),
                each,
                of_parameters,
                argument(&x, each),
                parameter(0),
                parameter(1),
                argument(&out, each),
                extents,
                eps,
                last,
                planes,
                activation,
                [element(&x), narrow],
            );
        }
        args.set(0, leave.lay_out(Tensor::Float(out)));
        Ok(())
    }))
}
