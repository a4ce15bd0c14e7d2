//! What a kernel on host memory is: slices in, slices out. It knows neither the engine's tensors nor who
//! owns the memory.

use mirage_ir::{Node, TensorType};

use crate::NodeContext;

/// A backend's kernels on host memory.
///
/// Kernels compute in f32. Operands of f16 and bf16 are widened before a kernel runs and its results are
/// rounded after it; [`NodeContext::inputs`] and [`NodeContext::outputs`] say f32 then. So do they for u8
/// where a node casts or moves elements ([`NodeContext::widened`]). `T` is the engine's
/// tensor, which weights are held in.
pub trait HostKernels<T>: Send + Sync + 'static {
    /// The kernel for this node, or `None` to run the engine's kernel on tensors, with operands and
    /// results copied.
    fn kernel(&self, cx: &NodeContext<'_>) -> Option<HostKernel>;

    /// Whether the kernel of this node reads operands of these types with any strides, so that a
    /// permutation before it moves no elements.
    fn takes_strides(&self, _node: &Node, _inputs: &[&TensorType]) -> bool {
        false
    }

    /// The elements of a contiguous f32 weight.
    fn floats<'t>(&self, weight: &'t T) -> &'t [f32];

    /// The bytes of a contiguous weight, as many for each element as the engine stores it in.
    fn bytes<'t>(&self, weight: &'t T) -> &'t [u8];

    /// What runs nodes without a kernel here, for a note: `burn-flex`.
    fn fallback(&self) -> &'static str;

    /// Called once after the first run, so that every thread can allocate the scratch memory that runs
    /// need from then on.
    fn settle(&self) {}
}

/// The elements of an operand.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Operand<'a> {
    /// Floats in the sequence of their type's memory.
    Float(&'a [f32]),
    /// Bools in the sequence of their type's memory, a byte each.
    Bool(&'a [u8]),
    /// Floats with strides; only for kernels that take them.
    View(View<'a>),
    /// Floats that are in the first result, which is written over them.
    InResult,
}

impl<'a> Operand<'a> {
    /// The floats of a contiguous operand. Panics if it is of another kind, which its type rules out.
    pub fn floats(self) -> &'a [f32] {
        match self {
            Operand::Float(x) => x,
            _ => unreachable!("an operand of floats in sequence"),
        }
    }

    /// The floats, or `None` where they are in the result.
    pub fn floats_unless_in_result(self) -> Option<&'a [f32]> {
        match self {
            Operand::InResult => None,
            other => Some(other.floats()),
        }
    }

    /// The bools of a contiguous operand, a byte each. Panics if it is of another kind.
    pub fn bools(self) -> &'a [u8] {
        match self {
            Operand::Bool(x) => x,
            _ => unreachable!("an operand of bools in sequence"),
        }
    }

    /// The floats with strides. Panics if it is of another kind.
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
    /// One for each physical dimension, from the first.
    pub strides: [usize; 4],
}

/// The memory that a run of a kernel writes.
pub struct Space<'a, 'b> {
    /// One slice for each result, as long as its type says.
    pub results: &'a mut [&'b mut [f32]],
    /// As many floats as the kernel asked for. Their content is arbitrary.
    pub workspace: &'a mut [f32],
}

impl Space<'_, '_> {
    /// The only result, or the first.
    pub fn result(&mut self) -> &mut [f32] {
        self.results[0]
    }
}

type Run = Box<dyn Fn(&[Operand<'_>], Space<'_, '_>) + Send + Sync>;

/// A kernel for one node, with everything resolved that does not depend on elements.
pub struct HostKernel {
    pub(crate) takes_views: bool,
    pub(crate) in_place: Vec<usize>,
    pub(crate) workspace: usize,
    run: Run,
}

impl HostKernel {
    /// A kernel on contiguous operands and results that do not overlap, without a workspace.
    pub fn new(run: impl Fn(&[Operand<'_>], Space<'_, '_>) + Send + Sync + 'static) -> Self {
        HostKernel {
            takes_views: false,
            in_place: Vec::new(),
            workspace: 0,
            run: Box::new(run),
        }
    }

    /// The first result may be written over one of these operands: they have its extent in memory, and
    /// are read at an element before that element is written.
    #[must_use]
    pub fn in_place(mut self, operands: impl IntoIterator<Item = usize>) -> Self {
        self.in_place = operands.into_iter().collect();
        self
    }

    /// Float operands come as [`Operand::View`], with whatever strides they have.
    #[must_use]
    pub fn with_views(mut self) -> Self {
        self.takes_views = true;
        self
    }

    /// Needs this many floats of memory while it runs.
    #[must_use]
    pub fn with_workspace(mut self, floats: usize) -> Self {
        self.workspace = floats;
        self
    }

    /// Whether float operands come as [`Operand::View`].
    pub fn takes_views(&self) -> bool {
        self.takes_views
    }

    /// The operands that the first result may be written over.
    pub fn in_place_operands(&self) -> &[usize] {
        &self.in_place
    }

    /// The floats of memory that it needs while it runs.
    pub fn workspace(&self) -> usize {
        self.workspace
    }

    /// Computes every element of the results.
    pub fn run(&self, operands: &[Operand<'_>], space: Space<'_, '_>) {
        (self.run)(operands, space);
    }
}
