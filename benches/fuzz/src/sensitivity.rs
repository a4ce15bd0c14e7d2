//! How ill conditioned a graph is: what rounding alone does to its results.

use mirage_ir::{
    DType, Graph, Params,
    generate::Generated,
    interp::{self, Difference, Run, Tensor},
};

/// How many perturbed runs the largest difference is of.
const RUNS: u64 = 4;

/// The distance of 1 to the next number of the coarsest dtype of floats that the graph or a body in
/// it computes in; 0 without floats.
pub fn coarsest_step(graph: &Graph) -> f64 {
    let own = graph.values().iter().map(|v| match v.ty.dtype {
        DType::BF16 => 2f64.powi(-7),
        DType::F16 => 2f64.powi(-10),
        DType::F32 => 2f64.powi(-23),
        DType::F64 => f64::EPSILON,
        _ => 0.0,
    });
    let bodies = graph.nodes().iter().filter_map(|n| n.op.body());
    own.chain(bodies.map(|b| coarsest_step(b)))
        .fold(0.0, f64::max)
}

/// How far the results move when every number that goes in moves by `step` of itself, up or down:
/// the largest [`distance`] of a few such runs. What is far more than `step` is the graph's own
/// doing: a norm over two numbers is hardly more than their sign, and a pass may round as any
/// backend does.
///
/// # Panics
/// Where the graph does not run.
pub fn sensitivity(g: &Generated, step: f64, unmoved: &Run) -> f64 {
    let runs = (1..=RUNS).map(|seed| {
        let mut noise = Noise(seed);
        let inputs: Vec<_> = g.inputs.iter().map(|t| noise.moved(t, step)).collect();
        let states: Vec<_> = g.states.iter().map(|t| noise.moved(t, step)).collect();
        let mut params = Params::new();
        for (name, data) in g.params.iter() {
            let moved = Tensor::from_data(data)
                .and_then(|t| noise.moved(&t, step).rounded(data.dtype))
                .and_then(|t| t.to_data(data.dtype))
                .expect("a parameter of the same type");
            params.insert(name, moved);
        }
        let run = interp::run(&g.graph, &params, &inputs, &states).expect("the graph runs");
        distance(&run, unmoved)
    });
    runs.fold(0.0, f64::max)
}

/// How far results are apart, in absolute terms or in those of the largest element: results near
/// zero have no scale of their own.
///
/// # Panics
/// Where they are not of the same types.
pub fn distance(is: &Run, was: &Run) -> f64 {
    let results = |r: &Run| {
        r.outputs
            .iter()
            .chain(&r.states)
            .cloned()
            .collect::<Vec<_>>()
    };
    results(is)
        .iter()
        .zip(&results(was))
        .fold(0.0, |worst, (is, was)| {
            let d = Difference::between(is, was).expect("results keep their types");
            worst.max(d.max_abs.min(d.max_rel))
        })
}

/// Signs that look random (SplitMix64 of Steele, Lea and Flood, OOPSLA 2014).
struct Noise(u64);

impl Noise {
    fn up(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) & 1 == 1
    }

    /// Integers and bools stay as they are.
    fn moved(&mut self, t: &Tensor, step: f64) -> Tensor {
        let Ok(floats) = t.floats() else {
            return t.clone();
        };
        let sign = |up| if up { step } else { -step };
        let moved: Vec<f64> = floats.iter().map(|x| x + x * sign(self.up())).collect();
        Tensor::float(t.shape(), moved).expect("as many as before")
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::{
        Op, TensorType,
        ops::{LayerNorm, Unary},
    };

    use super::*;

    /// Layers on three rows of two numbers.
    fn chain(layer: impl Fn() -> (Op, bool)) -> Generated {
        let mut builder = Graph::builder("chain");
        let ty = TensorType::new(DType::F32, [3, 2]);
        let mut x = builder.input("x", ty);
        let mut params = Params::new();
        for (name, value) in [("gamma", 1.0), ("beta", 0.25)] {
            let t = Tensor::float([2], [value, value + 0.5]).and_then(|t| t.to_data(DType::F32));
            params.insert(name, t.expect("two numbers"));
        }
        let ty = TensorType::new(DType::F32, [2]);
        let [gamma, beta] = ["gamma", "beta"].map(|n| builder.param(n, ty.clone()));
        for _ in 0..5 {
            let (op, affine) = layer();
            let operands: &[_] = if affine { &[x, gamma, beta] } else { &[x] };
            x = builder.op(op, operands).expect("well typed");
        }
        builder.output("y", x);
        Generated {
            graph: builder.finish().expect("well typed"),
            params,
            inputs: vec![Tensor::float([3, 2], [0.1, 0.1002, -0.4, 0.9, 0.3, 0.2999]).expect("6")],
            states: Vec::new(),
        }
    }

    fn of(g: &Generated) -> f64 {
        let unmoved = interp::run(&g.graph, &g.params, &g.inputs, &[]).expect("it runs");
        sensitivity(g, 2f64.powi(-10), &unmoved)
    }

    #[test]
    fn norms_over_two_numbers_are_ill_conditioned() {
        let norms = chain(|| (LayerNorm { eps: 1e-6 }.into(), true));
        assert!(of(&norms) > 0.1, "{}", of(&norms));
    }

    #[test]
    fn activations_are_not() {
        let silus = chain(|| (Unary::Silu.into(), false));
        let found = of(&silus);
        assert!(found > 0.0 && found < 4e-3, "{found}");
    }

    #[test]
    fn the_coarsest_dtype_counts() {
        assert_eq!(
            coarsest_step(&chain(|| (Unary::Silu.into(), false)).graph),
            2f64.powi(-23)
        );
    }
}
