//! What a kernel is: elements in, elements out. It knows neither the engine's tensors nor who owns
//! the memory, so that both the generic executor and a static plan can run it.

/// The elements of an operand.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a> {
    /// Floats in the sequence of their type's memory.
    Float(&'a [f32]),
    /// Bools in the sequence of their type's memory, a byte each.
    Bool(&'a [u8]),
    /// Floats with strides; only for kernels that take them.
    View(View<'a>),
    /// Floats that stand in the first result, which is written over them.
    InResult,
}

impl<'a> Operand<'a> {
    /// The floats of an operand in sequence; which operands are is known by their types.
    pub(crate) fn floats(self) -> &'a [f32] {
        match self {
            Operand::Float(x) => x,
            _ => unreachable!("an operand of floats in sequence"),
        }
    }

    /// The floats, or `None` where they stand in the result.
    pub(crate) fn floats_unless_in_result(self) -> Option<&'a [f32]> {
        match self {
            Operand::InResult => None,
            other => Some(other.floats()),
        }
    }

    /// The bools of an operand in sequence.
    pub(crate) fn bools(self) -> &'a [u8] {
        match self {
            Operand::Bool(x) => x,
            _ => unreachable!("an operand of bools in sequence"),
        }
    }

    /// The floats with strides.
    pub(crate) fn view(self) -> View<'a> {
        match self {
            Operand::View(view) => view,
            _ => unreachable!("an operand with strides"),
        }
    }
}

/// Floats of up to four dimensions with strides.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) elements: &'a [f32],
    pub(crate) start: usize,
    /// One for each physical dimension, from the first.
    pub(crate) strides: [usize; 4],
}

/// The memory that a run of a kernel writes.
pub(crate) struct Space<'a, 'b> {
    /// One slice for each result, as long as its type says.
    pub(crate) results: &'a mut [&'b mut [f32]],
    /// [`Computation::workspace`] floats. Their content is arbitrary.
    pub(crate) workspace: &'a mut [f32],
}

impl Space<'_, '_> {
    /// The only result, or the first.
    pub(crate) fn result(&mut self) -> &mut [f32] {
        self.results[0]
    }
}

type Run = Box<dyn Fn(&[Operand<'_>], Space<'_, '_>) + Send + Sync>;

/// A kernel for one node, with everything resolved that does not depend on elements.
pub(crate) struct Computation {
    /// Whether float operands come as [`Operand::View`], with whatever strides they have.
    pub(crate) takes_views: bool,
    /// Operands that the first result may be written over: of its memory's extent, and read at an
    /// element before that element is written.
    pub(crate) in_place: Vec<usize>,
    /// Floats of memory that it needs while it runs.
    pub(crate) workspace: usize,
    run: Run,
}

impl Computation {
    /// A kernel that takes operands in sequence, works beside them, and needs no memory.
    pub(crate) fn new(run: impl Fn(&[Operand<'_>], Space<'_, '_>) + Send + Sync + 'static) -> Self {
        Computation {
            takes_views: false,
            in_place: Vec::new(),
            workspace: 0,
            run: Box::new(run),
        }
    }

    /// The same, and the first result may be written over these operands.
    pub(crate) fn in_place(mut self, operands: impl IntoIterator<Item = usize>) -> Self {
        self.in_place = operands.into_iter().collect();
        self
    }

    /// Computes every element of the results.
    pub(crate) fn run(&self, operands: &[Operand<'_>], space: Space<'_, '_>) {
        (self.run)(operands, space);
    }
}
