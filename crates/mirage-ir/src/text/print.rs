//! Printer of the text form.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    sync::Arc,
};

use super::{
    cursor::is_name,
    value::{write_string, write_table},
};
use crate::{Graph, Node, Port, ValueId, callees::callee};

/// What to print. The default is everything, which [`parse`](super::parse) can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrintOptions {
    /// The module paths of nodes.
    pub paths: bool,
    /// The names of the graph and of its ports, and the attributes of the graph; likewise of bodies. Without
    /// them the text cannot be parsed, and two graphs have the same text if and only if they have the same
    /// nodes.
    pub names: bool,
}

impl Default for PrintOptions {
    fn default() -> Self {
        PrintOptions {
            paths: true,
            names: true,
        }
    }
}

/// Returns the text form of a graph, with a line end after the last line.
///
/// An invalid graph can be printed too: an operand without a definition is `%?`.
pub fn print(graph: &Graph) -> String {
    print_with(graph, PrintOptions::default())
}

/// Returns the text form of a graph, or parts of it.
pub fn print_with(graph: &Graph, options: PrintOptions) -> String {
    let mut printer = Printer {
        out: String::new(),
        options,
        indent: 0,
        bodies: Bodies::default(),
    };
    printer.graph(graph);
    printer.bodies.sections + &printer.out
}

struct Printer {
    out: String,
    options: PrintOptions,
    indent: usize,
    bodies: Bodies,
}

/// The bodies of calls that have been printed.
#[derive(Default)]
struct Bodies {
    /// Their sections, each after those of the bodies that it calls.
    sections: String,
    by_address: HashMap<*const Graph, String>,
    /// Bodies with the same text are printed once, so that parsing and printing again changes nothing.
    by_text: HashMap<String, String>,
    labels: HashSet<String>,
}

impl Printer {
    fn graph(&mut self, graph: &Graph) {
        self.out.push_str("graph ");
        if self.options.names {
            write_string(&mut self.out, &graph.name);
            self.out.push(' ');
            if !graph.attrs.is_empty() {
                write_table(&mut self.out, &graph.attrs);
                self.out.push(' ');
            }
        }
        self.out.push_str("{\n");
        self.indent += 1;
        self.items(graph);
        self.indent -= 1;
        self.begin_line();
        self.out.push_str("}\n");
    }

    fn items(&mut self, graph: &Graph) {
        let values = Numbers::of(graph);
        for (keyword, ports) in [("input", &graph.inputs), ("param", &graph.params)] {
            for Port { name, value } in ports {
                self.definition(keyword, name, &values.definition(graph, *value));
                self.out.push('\n');
            }
        }
        for state in &graph.states {
            self.definition("state", &state.name, &values.definition(graph, state.input));
            self.write(format_args!(" -> {}\n", values.name(state.output)));
        }
        for node in &graph.nodes {
            self.node(graph, &values, node);
        }
        for port in &graph.outputs {
            self.begin_line();
            self.out.push_str("output ");
            if self.options.names {
                write_string(&mut self.out, &port.name);
                self.out.push(' ');
            }
            self.write(format_args!("= {}\n", values.name(port.value)));
        }
    }

    /// `input %0 "frame": f32[1,3,8,8]`
    fn definition(&mut self, keyword: &str, name: &str, (value, ty): &(String, String)) {
        self.begin_line();
        self.write(format_args!("{keyword} {value}"));
        if self.options.names {
            self.out.push(' ');
            write_string(&mut self.out, name);
        }
        self.write(format_args!(": {ty}"));
    }

    fn node(&mut self, graph: &Graph, values: &Numbers, node: &Node) {
        self.begin_line();
        for (i, &v) in node.outputs.iter().enumerate() {
            let (value, ty) = values.definition(graph, v);
            self.write(format_args!(
                "{}{value}: {ty}",
                if i > 0 { ", " } else { "" }
            ));
        }
        self.out.push_str(" = ");
        let name = node.op.name();
        if !name.is_empty() && name.chars().all(is_name) {
            self.out.push_str(&name);
        } else {
            write_string(&mut self.out, &name);
        }
        let operands: Vec<_> = node.inputs.iter().map(|&v| values.name(v)).collect();
        self.write(format_args!("({})", operands.join(", ")));
        let attrs = node.op.attrs();
        if !attrs.is_empty() {
            self.out.push(' ');
            write_table(&mut self.out, &attrs);
        }
        if self.options.paths && !node.path.is_empty() {
            self.out.push_str(" @ ");
            write_string(&mut self.out, &node.path);
        }
        match (callee(&node.op), node.op.body()) {
            (Some(body), _) => {
                let label = self.label(body);
                self.out.push_str(" body ");
                write_string(&mut self.out, &label);
                self.out.push('\n');
            }
            (None, Some(body)) => {
                self.out.push(' ');
                self.graph(body);
            }
            (None, None) => self.out.push('\n'),
        }
    }

    /// Returns the label of a call's body; prints its section at the first call.
    fn label(&mut self, body: &Arc<Graph>) -> String {
        if let Some(label) = self.bodies.by_address.get(&Arc::as_ptr(body)) {
            return label.clone();
        }
        let outer = (std::mem::take(&mut self.out), self.indent);
        self.indent = 0;
        self.graph(body);
        let text = std::mem::replace(&mut self.out, outer.0);
        self.indent = outer.1;
        let label = match self.bodies.by_text.get(&text) {
            Some(label) => label.clone(),
            None => self.section(body, text),
        };
        let address = Arc::as_ptr(body);
        self.bodies.by_address.insert(address, label.clone());
        label
    }

    /// Adds the section of a body; returns its label: the body's name, with a number if it is taken.
    fn section(&mut self, body: &Graph, text: String) -> String {
        let mut labels = (1..).map(|n: usize| match (self.options.names, n) {
            (false, n) => n.to_string(),
            (true, 1) => body.name.clone(),
            (true, n) => format!("{}#{n}", body.name),
        });
        let taken = &mut self.bodies.labels;
        let label = labels.find(|l| taken.insert(l.clone())).unwrap_or_default();
        self.bodies.sections.push_str("body ");
        write_string(&mut self.bodies.sections, &label);
        self.bodies.sections.push(' ');
        self.bodies.sections.push_str(&text);
        self.bodies.by_text.insert(text, label.clone());
        label
    }

    fn begin_line(&mut self) {
        self.out.extend(std::iter::repeat_n("  ", self.indent));
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.out.write_fmt(text);
    }
}

/// The numbers of values in print: in the sequence of their definitions.
struct Numbers(Vec<Option<usize>>);

impl Numbers {
    fn of(graph: &Graph) -> Self {
        let ports = graph.inputs.iter().chain(&graph.params).map(|p| p.value);
        let states = graph.states.iter().map(|s| s.input);
        let outputs = graph.nodes.iter().flat_map(|n| n.outputs.iter().copied());
        let mut numbers = vec![None; graph.values.len()];
        for (number, value) in ports.chain(states).chain(outputs).enumerate() {
            if let Some(slot) = numbers.get_mut(value.index()) {
                *slot = slot.or(Some(number));
            }
        }
        Numbers(numbers)
    }

    fn name(&self, value: ValueId) -> String {
        match self.0.get(value.index()) {
            Some(Some(number)) => format!("%{number}"),
            _ => "%?".to_owned(),
        }
    }

    fn definition(&self, graph: &Graph, value: ValueId) -> (String, String) {
        let ty = graph
            .values
            .get(value.index())
            .map_or("?".to_owned(), |v| v.ty.to_string());
        (self.name(value), ty)
    }
}
