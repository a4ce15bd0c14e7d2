//! Whether two graphs are the same but for the numbers of their values, decided without printing or
//! encoding either: the oracle of round trips.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mirage_ir::{Attrs, Graph, Node, Port, State, ValueId};

/// Whether the graphs have the same names, types, attributes, operations and wiring. NaN equals NaN.
pub fn equivalent(a: &Graph, b: &Graph) -> bool {
    same(a, b, &mut HashSet::new())
}

/// Bodies that are the same, by their addresses: a shared one is compared once.
type Same = HashSet<(*const Graph, *const Graph)>;

fn same(a: &Graph, b: &Graph, bodies: &mut Same) -> bool {
    let mut pairing = Pairing {
        a,
        b,
        of: HashMap::new(),
        bodies,
    };
    a.name() == b.name()
        && same_attrs(a.attrs(), b.attrs())
        && a.values().len() == b.values().len()
        && all(a.inputs(), b.inputs(), |x, y| pairing.port(x, y))
        && all(a.params(), b.params(), |x, y| pairing.port(x, y))
        && all(a.states(), b.states(), |x, y| pairing.state(x, y))
        && all(a.nodes(), b.nodes(), |x, y| pairing.node(x, y))
        && all(a.states(), b.states(), |x, y| {
            pairing.is(x.output, y.output)
        })
        && all(a.outputs(), b.outputs(), |x, y| {
            x.name == y.name && pairing.is(x.value, y.value)
        })
}

/// Which value of `b` stands for which of `a`.
struct Pairing<'g, 's> {
    a: &'g Graph,
    b: &'g Graph,
    of: HashMap<ValueId, ValueId>,
    bodies: &'s mut Same,
}

impl Pairing<'_, '_> {
    fn define(&mut self, x: ValueId, y: ValueId) -> bool {
        self.a.ty(x) == self.b.ty(y) && self.of.insert(x, y).is_none()
    }

    fn is(&self, x: ValueId, y: ValueId) -> bool {
        self.of.get(&x) == Some(&y)
    }

    fn port(&mut self, x: &Port, y: &Port) -> bool {
        x.name == y.name && self.define(x.value, y.value)
    }

    fn state(&mut self, x: &State, y: &State) -> bool {
        x.name == y.name && self.define(x.input, y.input)
    }

    fn node(&mut self, x: &Node, y: &Node) -> bool {
        x.op.name() == y.op.name()
            && x.path == y.path
            && same_attrs(&x.op.attrs(), &y.op.attrs())
            && match (x.op.body(), y.op.body()) {
                (Some(x), Some(y)) => self.body(x, y),
                (x, y) => x.is_none() && y.is_none(),
            }
            && all(&x.inputs, &y.inputs, |&x, &y| self.is(x, y))
            && all(&x.outputs, &y.outputs, |&x, &y| self.define(x, y))
    }

    fn body(&mut self, x: &Arc<Graph>, y: &Arc<Graph>) -> bool {
        let pair = (Arc::as_ptr(x), Arc::as_ptr(y));
        self.bodies.contains(&pair) || (same(x, y, self.bodies) && self.bodies.insert(pair))
    }
}

fn all<T>(a: &[T], b: &[T], mut same: impl FnMut(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(x, y))
}

/// Equality of attributes, NaN being equal to NaN: their TOML text, which sorts names.
fn same_attrs(a: &Attrs, b: &Attrs) -> bool {
    a == b || a.to_string() == b.to_string()
}
