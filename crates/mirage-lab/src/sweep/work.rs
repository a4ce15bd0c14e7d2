//! The distinct operations of a graph, with the types of their operands.

use std::{collections::HashMap, sync::Arc};

use mirage_ir::{
    Attrs, Graph, GraphError, Node, Op, TensorType, ValueId,
    analysis::Prologue,
    cost::{NodeCost, node_cost},
    ops::{
        Attention, BatchNorm, Call, Conv, ConvTranspose, GroupNorm, LayerNorm, Linear, Matmul,
        Region,
    },
};

/// An operand of [`Work`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    /// Its type.
    pub ty: TensorType,
    /// Whether it depends only on parameters, so that a backend may compute it at compile time.
    pub fixed: bool,
    /// The index of the first operand with the same value.
    pub same_as: usize,
}

/// An operation on operands of given types, and its places in a graph.
#[derive(Clone, Debug)]
pub struct Work {
    /// The operation.
    pub op: Op,
    /// Its operands.
    pub operands: Vec<Operand>,
    /// The number of times in one execution of the graph.
    pub count: u64,
    /// The distinct module paths, in the order of execution.
    pub layers: Vec<Arc<str>>,
    /// The cost of doing it once.
    pub cost: NodeCost,
}

/// Returns the distinct operations of one execution of a graph, in the order of first use. Excludes what is
/// computed at compile time, and views. Called bodies count at each call.
pub fn distinct(graph: &Graph) -> Vec<Work> {
    let mut found = Distinct::default();
    found.graph(graph, 1);
    found.works
}

#[derive(Default)]
struct Distinct {
    works: Vec<Work>,
    /// Places in `works`, by name and operands.
    places: HashMap<(String, Vec<Operand>), Vec<usize>>,
}

impl Distinct {
    fn graph(&mut self, graph: &Graph, times: u64) {
        let prologue = Prologue::of(graph);
        for (_, node) in graph.iter() {
            if prologue.is_fixed(node.output()) {
                continue;
            }
            match node.op.body() {
                Some(body) if node.op.is::<Call>() => self.graph(body, times),
                _ => self.node(graph, &prologue, node, times),
            }
        }
    }

    fn node(&mut self, graph: &Graph, prologue: &Prologue, node: &Node, times: u64) {
        let outputs = graph.output_types(node);
        if node.op.is_view(&graph.input_types(node), &outputs) {
            return;
        }
        let operands = operands(graph, prologue, node);
        let places = self
            .places
            .entry((node.op.name().into_owned(), operands.clone()))
            .or_default();
        let known = places.iter().find(|&&at| self.works[at].op == node.op);
        let at = known.copied().unwrap_or_else(|| {
            places.push(self.works.len());
            self.works.push(Work {
                op: node.op.clone(),
                operands,
                count: 0,
                layers: Vec::new(),
                cost: node_cost(graph, node),
            });
            self.works.len() - 1
        });
        let work = &mut self.works[at];
        work.count += times;
        if !work.layers.contains(&node.path) {
            work.layers.push(node.path.clone());
        }
    }
}

fn operands(graph: &Graph, prologue: &Prologue, node: &Node) -> Vec<Operand> {
    let first = |v: ValueId| node.inputs.iter().position(|&other| other == v);
    let operand = |(i, &v): (usize, &ValueId)| Operand {
        ty: graph.ty(v).clone(),
        fixed: prologue.is_fixed(v),
        same_as: first(v).unwrap_or(i),
    };
    node.inputs.iter().enumerate().map(operand).collect()
}

impl Work {
    /// Returns the name of the operation; for a region, `region:` and its kind.
    pub fn name(&self) -> String {
        match self.op.get::<Region>() {
            Some(region) => format!("region:{}", region.kind),
            None => self.op.name().into_owned(),
        }
    }

    /// Returns whether it is a convolution, matrix product, attention, norm or region.
    pub fn is_main(&self) -> bool {
        let op = &self.op;
        op.is::<Conv>()
            || op.is::<ConvTranspose>()
            || op.is::<Linear>()
            || op.is::<Matmul>()
            || op.is::<Attention>()
            || op.is::<GroupNorm>()
            || op.is::<LayerNorm>()
            || op.is::<BatchNorm>()
            || op.is::<Region>()
    }

    /// Returns the types of the operands in text form; those that are fixed follow a bar.
    pub fn shapes(&self) -> String {
        let of = |fixed: bool| {
            let types = self.operands.iter().filter(|o| o.fixed == fixed);
            types
                .map(|o| o.ty.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match (of(false), of(true)) {
            (inputs, fixed) if fixed.is_empty() => inputs,
            (inputs, fixed) => format!("{inputs} | {fixed}"),
        }
    }

    /// Returns a short description: dtype and shape of the first operand, and the shape of the largest fixed
    /// one, such as `f32 1×64×32×32 · 128×64×3×3`.
    pub fn brief(&self) -> String {
        let sides = |ty: &TensorType| {
            let sides: Vec<String> = ty.shape.iter().map(ToString::to_string).collect();
            sides.join("×")
        };
        let first = self.operands.first().map(|o| &o.ty);
        let first = first.map(|ty| format!("{} {}", ty.dtype, sides(ty)));
        let weight = self
            .operands
            .iter()
            .skip(1)
            .filter(|o| o.fixed)
            .max_by_key(|o| o.ty.numel());
        first
            .into_iter()
            .chain(weight.map(|o| sides(&o.ty)))
            .collect::<Vec<_>>()
            .join(" · ")
    }

    /// Returns the attributes in text form; for a region, those of its kind.
    pub fn attributes(&self) -> String {
        let attrs = match self.op.get::<Region>() {
            Some(region) => region.attributes.clone(),
            None => self.op.attrs(),
        };
        let parts = attrs
            .iter()
            .map(|(name, value)| format!("{name} = {value}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Returns a graph with only this operation: fixed operands are parameters, the others inputs, and every
    /// result is an output. `attrs` are those of the original graph.
    ///
    /// # Errors
    /// If types cannot be inferred.
    pub fn graph(&self, attrs: &Attrs) -> Result<Graph, GraphError> {
        let mut b = Graph::builder(self.name());
        b.set_attrs(attrs.clone());
        if let Some(path) = self.layers.first() {
            b.set_path(path.clone());
        }
        let mut values: Vec<ValueId> = Vec::with_capacity(self.operands.len());
        for (i, operand) in self.operands.iter().enumerate() {
            let value = match operand {
                Operand { same_as, .. } if *same_as < i => values[*same_as],
                Operand {
                    ty, fixed: true, ..
                } => b.param(format!("p{i}"), ty.clone()),
                Operand { ty, .. } => b.input(format!("x{i}"), ty.clone()),
            };
            values.push(value);
        }
        let outputs = b.push(self.op.clone(), &values)?;
        for (i, value) in outputs.into_iter().enumerate() {
            b.output(format!("y{i}"), value);
        }
        b.finish()
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::{
        DType,
        ops::{Binary, Reshape, Unary},
        text,
    };

    use super::*;

    /// Two equal linear layers and one of another width, each before a SiLU; a product of a value
    /// with itself; a view; something that is done at compile.
    fn network() -> Graph {
        let mut b = Graph::builder("network");
        let ty = |shape: [usize; 2]| TensorType::new(DType::F32, shape);
        let mut x = b.input("x", ty([2, 4]));
        let p = b.param("shift", ty([2, 4]));
        let q = b.op(Unary::Silu, &[p]).unwrap();
        for (layer, width) in [("a", 4), ("b", 4), ("c", 6)] {
            b.set_path(layer);
            let w = b.param(format!("{layer}.w"), ty([4, width]));
            let y = b.op(Linear {}, &[x, w]).unwrap();
            let y = b.op(Unary::Silu, &[y]).unwrap();
            match width {
                4 => x = y,
                _ => b.output(layer, y),
            }
        }
        let square = b.op(Binary::Mul, &[x, x]).unwrap();
        let product = b.op(Binary::Mul, &[square, q]).unwrap();
        let flat = Reshape {
            shape: vec![8],
            order: None,
        };
        let flat = b.op(flat, &[product]).unwrap();
        b.output("flat", flat);
        b.finish().unwrap()
    }

    #[test]
    fn equal_work_counts_once_with_its_layers() {
        let works = distinct(&network());
        let told = works.iter().map(|w| {
            let layers = w.layers.iter().map(|l| &**l).collect::<Vec<_>>();
            format!(
                "{} × {} of {} in {}",
                w.count,
                w.name(),
                w.shapes(),
                layers.join(", ")
            )
        });
        insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
        2 × linear of f32[2,4] | f32[4,4] in a, b
        2 × silu of f32[2,4] in a, b
        1 × linear of f32[2,4] | f32[4,6] in c
        1 × silu of f32[2,6] in c
        1 × mul of f32[2,4], f32[2,4] in c
        1 × mul of f32[2,4] | f32[2,4] in c
        ");
        assert_eq!(works.iter().filter(|w| w.is_main()).count(), 2);
    }

    #[test]
    fn work_stands_alone_as_a_graph() {
        let mut attrs = Attrs::new();
        attrs.insert("static_plan".to_owned(), true.into());
        let works = distinct(&network());
        let told = [0, 4].map(|i| text::print(&works[i].graph(&attrs).unwrap()));
        insta::assert_snapshot!(told.concat(), @r#"
        graph "linear" {static_plan = true} {
          input %0 "x0": f32[2,4]
          param %1 "p1": f32[4,4]
          %2: f32[2,4] = linear(%0, %1) @ "a"
          output "y0" = %2
        }
        graph "mul" {static_plan = true} {
          input %0 "x0": f32[2,4]
          %1: f32[2,4] = mul(%0, %0) @ "c"
          output "y0" = %1
        }
        "#);
    }

    #[test]
    fn a_body_counts_at_each_call() {
        let mut b = Graph::builder("step");
        let ty = TensorType::new(DType::F32, [2, 4]);
        let x = b.input("x", ty.clone());
        let y = b.op(Unary::Silu, &[x]).unwrap();
        b.output("y", y);
        let body = Arc::new(b.finish().unwrap());
        let mut b = Graph::builder("loop");
        let mut x = b.input("x", ty);
        for _ in 0..3 {
            x = b.op(Call::new(body.clone()), &[x]).unwrap();
        }
        b.output("y", x);
        let works = distinct(&b.finish().unwrap());
        assert_eq!(works.len(), 1);
        assert_eq!((works[0].count, works[0].name()), (3, "silu".to_owned()));
    }
}
