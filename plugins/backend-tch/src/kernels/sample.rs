//! `grid_sample`: burn supports only one of its modes.

use burn_tch::LibTorch;
use mirage_burn::Kernel;
use mirage_ir::ops::{GridSample, SampleMode, SamplePadding};
use tch::Kind;

use super::{Cx, kernel};

pub(super) fn lower(cx: &Cx<'_>) -> Option<Kernel<LibTorch>> {
    let op = *cx.node.op.get::<GridSample>()?;
    // The numbers are those of at::native::detail::GridSamplerInterpolation and GridSamplerPadding.
    let mode = match op.mode {
        SampleMode::Bilinear => 0,
        SampleMode::Nearest => 1,
    };
    let padding = match op.padding {
        SamplePadding::Zeros => 0,
        SamplePadding::Border => 1,
        SamplePadding::Reflection => 2,
    };
    let (x, grid) = (cx.logical(0), cx.logical(1));
    Some(kernel(cx.physical(), move |args| {
        let (x, grid) = (args.seen(0, &x), args.seen(1, &grid));
        let kind = x.kind();
        let wide = if kind == Kind::Double {
            kind
        } else {
            Kind::Float
        };
        let (x, grid) = (x.f_to_kind(wide)?, grid.f_to_kind(wide)?);
        x.f_grid_sampler(&grid, mode, padding, op.align_corners)?
            .f_to_kind(kind)
    }))
}
