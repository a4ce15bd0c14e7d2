//! The tree of layers.

use super::{FrameTimes, Node, Row, Sort};

/// The layer of nodes that came from no module: the sampler, and what passes made of several.
pub const NO_LAYER: &str = "(no layer)";

/// A layer: all nodes whose module path is its path or goes on from there.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The module path; [`NO_LAYER`] where there is none. Its name in `row` is the last part.
    pub path: String,
    /// The number of parts of its path; 0 for the whole.
    pub depth: usize,
    /// All of its nodes summed up, those of the layers within too.
    pub row: Row,
    /// The nodes of this path itself, as places among [`super::Profile::nodes`].
    pub own: Vec<usize>,
    /// The layers within.
    pub within: Vec<Layer>,
}

impl Layer {
    /// The whole, with the layers of all nodes within; siblings sorted.
    pub(super) fn tree(nodes: &[Node], frame: &FrameTimes, sort: Sort) -> Self {
        let mut root = Grown::default();
        for (place, node) in nodes.iter().enumerate() {
            let path = if node.path.is_empty() {
                NO_LAYER
            } else {
                &node.path
            };
            let mut at = &mut root;
            for part in path.split('.') {
                at.all.push(place);
                at = at.child(part);
            }
            at.all.push(place);
            at.own.push(place);
        }
        root.layer(String::new(), 0, nodes, frame, sort)
    }

    /// The layers of the tree from the top, each before those within it, down to a depth; the whole is
    /// not among them.
    pub fn flat(&self, depth: usize) -> Vec<&Layer> {
        let mut layers = Vec::new();
        let mut todo: Vec<&Layer> = self.within.iter().rev().collect();
        while let Some(layer) = todo.pop() {
            layers.push(layer);
            if layer.depth < depth {
                todo.extend(layer.within.iter().rev());
            }
        }
        layers
    }
}

/// A layer on the way.
#[derive(Default)]
struct Grown {
    name: String,
    all: Vec<usize>,
    own: Vec<usize>,
    within: Vec<Grown>,
}

impl Grown {
    fn child(&mut self, name: &str) -> &mut Grown {
        let place = self.within.iter().position(|c| c.name == name);
        let place = place.unwrap_or_else(|| {
            self.within.push(Grown {
                name: name.to_owned(),
                ..Grown::default()
            });
            self.within.len() - 1
        });
        &mut self.within[place]
    }

    fn layer(
        self,
        path: String,
        depth: usize,
        nodes: &[Node],
        frame: &FrameTimes,
        sort: Sort,
    ) -> Layer {
        let all = self.all.iter().map(|&i| &nodes[i]);
        let row = Row::of(self.name, all, frame);
        let path_of = |name: &str| match path.is_empty() {
            true => name.to_owned(),
            false => format!("{path}.{name}"),
        };
        let mut within: Vec<Layer> = self
            .within
            .into_iter()
            .map(|child| {
                let path = path_of(&child.name);
                child.layer(path, depth + 1, nodes, frame, sort)
            })
            .collect();
        within.sort_by(|a, b| sort.compare(&a.row, &b.row));
        Layer {
            path,
            depth,
            row,
            own: self.own,
            within,
        }
    }
}
