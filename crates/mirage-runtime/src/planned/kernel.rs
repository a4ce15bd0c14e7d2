//! Kernels on host memory, which read and write slices and know neither the engine's tensors nor who owns
//! the memory.

use mirage_ir::{Node, TensorType};

use crate::NodeContext;

/// A backend's kernels on host memory.
///
/// Kernels compute in f32. The runtime widens operands of f16 and bf16 before a kernel runs and rounds its
/// results afterwards; [`NodeContext::inputs`] and [`NodeContext::outputs`] are f32 then. The same holds for
/// u8 if a node casts or moves elements ([`NodeContext::widened`]). `T` is the engine's tensor, which holds
/// weights.
pub trait HostKernels<T>: Send + Sync + 'static {
    /// Returns the kernel for this node, or `None` to run the engine's kernel on tensors, with operands and
    /// results copied.
    fn kernel(&self, cx: &NodeContext<'_>) -> Option<HostKernel>;

    /// Whether the kernel of this node accepts operands of these types with any strides, so that a permute
    /// before it copies nothing.
    fn takes_strides(&self, _node: &Node, _inputs: &[&TensorType]) -> bool {
        false
    }

    /// Returns the elements of a contiguous f32 weight.
    fn floats<'t>(&self, weight: &'t T) -> &'t [f32];

    /// Returns the bytes of a contiguous weight, in the engine's element size.
    fn bytes<'t>(&self, weight: &'t T) -> &'t [u8];

    /// Returns the name of what runs nodes without a kernel on slices, for notes, such as `burn-flex`.
    fn fallback(&self) -> &'static str;

    /// Called once after the first run, so that every thread can allocate the scratch memory that later runs
    /// need.
    fn settle(&self) {}
}

/// The elements of an operand.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Operand<'a> {
    /// Floats in the memory order of their type.
    Float(&'a [f32]),
    /// Bools in the memory order of their type, one byte each.
    Bool(&'a [u8]),
    /// Floats with strides; only for kernels that accept them.
    View(View<'a>),
    /// Floats in the memory of the first result, which overwrites them.
    InResult,
}

impl<'a> Operand<'a> {
    /// Returns the floats of a contiguous operand. Panics for another kind, which its type rules out.
    pub fn floats(self) -> &'a [f32] {
        match self {
            Operand::Float(x) => x,
            _ => unreachable!("an operand of floats in sequence"),
        }
    }

    /// Returns the floats; `None` if they are in the memory of the result.
    pub fn floats_unless_in_result(self) -> Option<&'a [f32]> {
        match self {
            Operand::InResult => None,
            other => Some(other.floats()),
        }
    }

    /// Returns the bools of a contiguous operand, one byte each. Panics for another kind.
    pub fn bools(self) -> &'a [u8] {
        match self {
            Operand::Bool(x) => x,
            _ => unreachable!("an operand of bools in sequence"),
        }
    }

    /// Returns the floats with strides. Panics for another kind.
    pub fn view(self) -> View<'a> {
        match self {
            Operand::View(view) => view,
            _ => unreachable!("an operand with strides"),
        }
    }
}

/// Floats of up to four dimensions with strides.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The elements that it is a view of.
    pub elements: &'a [f32],
    /// The index of its first element.
    pub start: usize,
    /// The stride of each physical dimension, outermost first.
    pub strides: [usize; 4],
}

/// The memory that a run of a kernel writes.
pub struct Space<'a, 'b> {
    /// A slice for each result, of its type's length.
    pub results: &'a mut [&'b mut [f32]],
    /// The floats that the kernel requested. Their content is arbitrary.
    pub workspace: &'a mut [f32],
}

impl Space<'_, '_> {
    /// Returns the first result, which is the only one of most kernels.
    pub fn result(&mut self) -> &mut [f32] {
        self.results[0]
    }
}

type Run = Box<dyn Fn(&[Operand<'_>], Space<'_, '_>) + Send + Sync>;

/// A kernel for one node. Everything that does not depend on elements is resolved.
pub struct HostKernel {
    pub(crate) takes_views: bool,
    pub(crate) in_place: Vec<usize>,
    pub(crate) workspace: usize,
    run: Run,
}

impl HostKernel {
    /// Returns a kernel on contiguous operands and results that do not overlap, without a workspace.
    pub fn new(run: impl Fn(&[Operand<'_>], Space<'_, '_>) + Send + Sync + 'static) -> Self {
        HostKernel {
            takes_views: false,
            in_place: Vec::new(),
            workspace: 0,
            run: Box::new(run),
        }
    }

    /// Allows the first result to overwrite one of these operands: they have the same size, and each element
    /// is read before it is written.
    #[must_use]
    pub fn in_place(mut self, operands: impl IntoIterator<Item = usize>) -> Self {
        self.in_place = operands.into_iter().collect();
        self
    }

    /// Requests float operands as [`Operand::View`], with any strides.
    #[must_use]
    pub fn with_views(mut self) -> Self {
        self.takes_views = true;
        self
    }

    /// Requests this many floats of workspace.
    #[must_use]
    pub fn with_workspace(mut self, floats: usize) -> Self {
        self.workspace = floats;
        self
    }

    /// Whether float operands are [`Operand::View`]s.
    pub fn takes_views(&self) -> bool {
        self.takes_views
    }

    /// Returns the operands that the first result may overwrite.
    pub fn in_place_operands(&self) -> &[usize] {
        &self.in_place
    }

    /// Returns the floats of workspace that it needs.
    pub fn workspace(&self) -> usize {
        self.workspace
    }

    /// Computes every element of the results.
    pub fn run(&self, operands: &[Operand<'_>], space: Space<'_, '_>) {
        (self.run)(operands, space);
    }
}
