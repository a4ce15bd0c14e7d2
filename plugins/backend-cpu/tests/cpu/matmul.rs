//! Batched matrix products against the definition in f64: odd sizes, broadcast batches, operands that
//! are permuted, and written-out attention.

use crate::support::{bound, check, compile, difference, noisy, planned, ty};
use mirage_ir::{Graph, GraphBuilder, ValueId, ops::*};
use proptest::prelude::*;

/// An operand of a product: its batch, and how it lies in memory before it is permuted to it.
#[derive(Clone, Copy, Debug)]
struct Lies {
    /// Which of the batch's dimensions are repeated.
    repeated: [bool; 2],
    /// 0: as it is; 1: rows and columns swapped; 2: heads after rows, as a layer gives them.
    permuted: usize,
}

fn lies() -> impl Strategy<Value = Lies> {
    (any::<[bool; 2]>(), 0..3usize).prop_map(|(repeated, permuted)| Lies { repeated, permuted })
}

impl Lies {
    /// A value `[batch…, rows, columns]` of an input that lies so.
    fn operand(
        self,
        b: &mut GraphBuilder,
        name: &str,
        dtype: &str,
        [outer, inner, rows, columns]: [usize; 4],
    ) -> ValueId {
        let size = |repeated: bool, size: usize| if repeated { 1 } else { size };
        let (outer, inner) = (size(self.repeated[0], outer), size(self.repeated[1], inner));
        let (held, axes) = match self.permuted {
            0 => ([outer, inner, rows, columns], [0, 1, 2, 3]),
            1 => ([outer, inner, columns, rows], [0, 1, 3, 2]),
            _ => ([outer, rows, inner, columns], [0, 2, 1, 3]),
        };
        let [h0, h1, h2, h3] = held;
        let x = b.input(name, ty(&format!("{dtype}[{h0},{h1},{h2},{h3}]")));
        match self.permuted {
            0 => x,
            _ => b.op(Permute::of(axes), &[x]).unwrap(),
        }
    }
}

fn product(dtype: &str, batch: [usize; 2], [m, k, n]: [usize; 3], lies: [Lies; 2]) -> Graph {
    let mut b = Graph::builder("product");
    let [outer, inner] = batch;
    let x = lies[0].operand(&mut b, "x", dtype, [outer, inner, m, k]);
    let y = lies[1].operand(&mut b, "y", dtype, [outer, inner, k, n]);
    let out = b.op(Matmul {}, &[x, y]).unwrap();
    b.output("z", out);
    b.finish().unwrap()
}

proptest! {
    #[test]
    fn products_of_any_shape_agree_with_their_definition(
        dtype in prop::sample::select(vec!["f32", "f16", "bf16"]),
        batch in [1..4usize, 1..4usize],
        sizes in [1..40usize, 1..300usize, 1..80usize],
        lies in [lies(), lies()],
    ) {
        let graph = product(dtype, batch, sizes, lies);
        let (params, inputs) = noisy(&graph);
        let d = difference(&graph, &params, &inputs, &[]);
        prop_assert!(d.max_rel <= bound(dtype), "{d:?}\n{graph}");
    }
}

#[test]
fn large_products_are_divided_among_threads_without_a_seam() {
    let plain = Lies {
        repeated: [false; 2],
        permuted: 0,
    };
    let heads = Lies {
        permuted: 2,
        ..plain
    };
    let swapped = Lies {
        permuted: 1,
        ..plain
    };
    for (batch, sizes, lies) in [
        ([1, 1], [700, 33, 500], [plain, swapped]),
        ([1, 3], [301, 700, 17], [swapped, heads]),
        ([2, 2], [1, 900, 300], [heads, plain]),
        ([70, 5], [3, 2, 40], [plain, plain]),
    ] {
        let graph = product("f32", batch, sizes, lies);
        let (params, inputs) = noisy(&graph);
        let d = difference(&graph, &params, &inputs, &[]);
        assert!(d.max_rel <= bound("f32"), "{d:?}\n{graph}");
    }
}

#[test]
fn products_of_every_rank() {
    check(Matmul {}, &["f32[5,7]", "f32[7,3]"], 1e-6);
    check(Matmul {}, &["f32[3,5,7]", "f32[1,7,3]"], 1e-6);
    check(Matmul {}, &["f32[1,5,7]", "f32[3,7,3]"], 1e-6);
    check(Matmul {}, &["f32[2,1,3,5,7]", "f32[2,4,1,7,3]"], 1e-6);
}

#[test]
fn attention_written_out_is_not_left_to_the_engine() {
    for dtype in ["f32", "f16", "bf16"] {
        let mut b = Graph::builder("attention");
        let mut head = |name: &str, axes: [usize; 4]| {
            let x = b.input(name, ty(&format!("{dtype}[2,37,3,8]")));
            b.op(Permute::of(axes), &[x]).unwrap()
        };
        let q = head("q", [0, 2, 1, 3]);
        let k = head("k", [0, 2, 3, 1]);
        let v = head("v", [0, 2, 1, 3]);
        let scores = b.op(Matmul {}, &[q, k]).unwrap();
        let scores = b
            .op(WithScalar::float(Binary::Mul, 0.35), &[scores])
            .unwrap();
        let weights = b.op(Softmax { dim: 3 }, &[scores]).unwrap();
        let y = b.op(Matmul {}, &[weights, v]).unwrap();
        let y = b.op(Permute::of([0, 2, 1, 3]), &[y]).unwrap();
        b.output("y", y);
        let graph = b.finish().unwrap();
        let (params, inputs) = noisy(&graph);
        let d = difference(&graph, &params, &inputs, &[]);
        assert!(d.max_rel <= bound(dtype), "{d:?}");
        let executable = compile(&planned(&graph), &params).unwrap();
        let notes = executable.notes().join("\n");
        assert!(!notes.contains("burn-flex"), "{dtype}: {notes}");
    }
}
