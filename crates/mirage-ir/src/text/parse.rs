//! Parser of the text form.

use std::{collections::HashMap, sync::Arc};

use super::{
    MAX_DEPTH,
    cursor::{Cursor, is_name},
    decode_op,
    value::{is_table_next, table},
};
use crate::{Attrs, Graph, GraphBuilder, GraphError, TensorType, ValueId, verify};

/// Parses and verifies a graph.
///
/// # Errors
/// [`GraphError::Parse`] with the line of a syntax error, or the verifier's error.
pub fn parse(text: &str) -> Result<Graph, GraphError> {
    let graph = parse_unverified(text)?;
    verify(&graph)?;
    Ok(graph)
}

/// Parses a graph without verifying it; values have the types that the text states.
pub fn parse_unverified(text: &str) -> Result<Graph, GraphError> {
    let mut cursor = Cursor::new(text);
    let mut bodies = Bodies::new();
    loop {
        let place = cursor.place();
        if !cursor.eat_word("body") {
            break;
        }
        let label = cursor.string("the body's label")?;
        let (graph, height) = graph(&mut cursor, &bodies, 0)?;
        if bodies.contains_key(&label) {
            let message = format!("two bodies have the label {label:?}: labels must be unique");
            return Err(cursor.error_at(place, message));
        }
        bodies.insert(label, (Arc::new(graph), height));
    }
    let (graph, _) = graph(&mut cursor, &bodies, 0)?;
    cursor.end()?;
    Ok(graph)
}

/// The bodies in sections of their own, by label, and how deep bodies nest in each.
type Bodies = HashMap<String, (Arc<Graph>, usize)>;

/// Reads a graph; gives also how deep bodies nest in it.
fn graph(
    cursor: &mut Cursor<'_>,
    bodies: &Bodies,
    depth: usize,
) -> Result<(Graph, usize), GraphError> {
    let place = cursor.place();
    if !cursor.eat_word("graph") {
        return Err(cursor.expected("`graph`"));
    }
    if depth > MAX_DEPTH {
        return Err(too_deep(cursor, place));
    }
    let mut builder = Graph::builder(cursor.string("the graph's name")?);
    if is_table_next(cursor) {
        builder.set_attrs(table(cursor)?);
    }
    cursor.expect("{")?;
    let mut items = Items {
        cursor,
        bodies,
        builder,
        depth,
        height: 0,
        values: HashMap::new(),
        states: Vec::new(),
    };
    while !items.cursor.eat("}") {
        items.item()?;
    }
    items.finish()
}

fn too_deep(cursor: &Cursor<'_>, place: usize) -> GraphError {
    cursor.error_at(place, format!("bodies nest deeper than {MAX_DEPTH} levels"))
}

/// Parser of the statements of a graph.
struct Items<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    bodies: &'c Bodies,
    builder: GraphBuilder,
    /// The number of graphs around this one.
    depth: usize,
    /// How deep bodies nest in it, as far as it is read.
    height: usize,
    /// Values by their number in the text.
    values: HashMap<u32, ValueId>,
    /// For each state, the number of its new content, which may be defined later, and its position.
    states: Vec<(usize, u32)>,
}

impl Items<'_, '_> {
    fn item(&mut self) -> Result<(), GraphError> {
        if self.cursor.peek() == Some('%') {
            return self.node();
        }
        let place = self.cursor.place();
        match self.cursor.run(is_name) {
            "input" => {
                let (definition, name, ty) = self.port()?;
                let value = self.builder.input(name, ty);
                self.define(definition, value)
            }
            "param" => {
                let (definition, name, ty) = self.port()?;
                let value = self.builder.param(name, ty);
                self.define(definition, value)
            }
            "state" => {
                let (definition, name, ty) = self.port()?;
                let value = self.builder.state(name, ty);
                self.cursor.expect("->")?;
                let place = self.cursor.place();
                self.states.push((place, self.cursor.value_number()?));
                self.define(definition, value)
            }
            "output" => {
                let name = self.cursor.string("the output's name")?;
                self.cursor.expect("=")?;
                let value = self.operand()?;
                self.builder.output(name, value);
                Ok(())
            }
            _ => {
                self.cursor.back_to(place);
                let what = "`input`, `param`, `state`, `output`, a node such as `%1: f32[8] = relu(%0)`, or `}`";
                Err(self.cursor.expected(what))
            }
        }
    }

    /// `%0 "name": type`, with the place of the number.
    fn port(&mut self) -> Result<((usize, u32), String, TensorType), GraphError> {
        let definition = (self.cursor.place(), self.cursor.value_number()?);
        let name = self.cursor.string("a name")?;
        self.cursor.expect(":")?;
        Ok((definition, name, self.cursor.tensor_type()?))
    }

    fn define(&mut self, (place, number): (usize, u32), value: ValueId) -> Result<(), GraphError> {
        match self.values.insert(number, value) {
            None => Ok(()),
            Some(_) => Err(self
                .cursor
                .error_at(place, format!("%{number} is defined twice"))),
        }
    }

    fn operand(&mut self) -> Result<ValueId, GraphError> {
        let place = self.cursor.place();
        let number = self.cursor.value_number()?;
        self.look_up(place, number)
    }

    fn look_up(&self, place: usize, number: u32) -> Result<ValueId, GraphError> {
        let value = self.values.get(&number).copied();
        value.ok_or_else(|| {
            self.cursor
                .error_at(place, format!("%{number} is not defined before its use"))
        })
    }

    /// `%4: type, %5: type = op(%1, %2) {attributes} @ "path" BODY`
    fn node(&mut self) -> Result<(), GraphError> {
        let start = self.cursor.place();
        let (mut definitions, mut types) = (Vec::new(), Vec::new());
        loop {
            definitions.push((self.cursor.place(), self.cursor.value_number()?));
            self.cursor.expect(":")?;
            types.push(self.cursor.tensor_type()?);
            if !self.cursor.eat(",") {
                break;
            }
        }
        self.cursor.expect("=")?;
        let name = self.op_name()?;
        let inputs = self.operands()?;
        let attrs = if self.cursor.peek() == Some('{') {
            table(self.cursor)?
        } else {
            Attrs::new()
        };
        let path = if self.cursor.eat("@") {
            self.cursor.string("a module path")?
        } else {
            String::new()
        };
        let body = self.body()?;
        let op = decode_op(&name, attrs, body, &types)
            .map_err(|e| self.cursor.error_at(start, format!("{name}: {e}")))?;
        self.builder.set_path(path);
        let outputs = self.builder.push_typed(op, &inputs, types);
        definitions
            .into_iter()
            .zip(outputs)
            .try_for_each(|(d, v)| self.define(d, v))
    }

    fn op_name(&mut self) -> Result<String, GraphError> {
        if matches!(self.cursor.peek(), Some('"' | '\'')) {
            return self.cursor.string("an operation's name");
        }
        match self.cursor.run(is_name) {
            "" => Err(self.cursor.expected("an operation's name")),
            name => Ok(name.to_owned()),
        }
    }

    fn operands(&mut self) -> Result<Vec<ValueId>, GraphError> {
        self.cursor.expect("(")?;
        let mut inputs = Vec::new();
        while !self.cursor.eat(")") {
            inputs.push(self.operand()?);
            if !self.cursor.eat(",") && self.cursor.peek() != Some(')') {
                return Err(self.cursor.expected("`,` or `)`"));
            }
        }
        Ok(inputs)
    }

    fn body(&mut self) -> Result<Option<Arc<Graph>>, GraphError> {
        let place = self.cursor.place();
        let (body, height) = if self.cursor.eat_word("body") {
            self.labelled()?
        } else if self.cursor.eat_word("graph") {
            self.cursor.back_to(place);
            let (body, height) = graph(self.cursor, self.bodies, self.depth + 1)?;
            (Arc::new(body), height)
        } else {
            return Ok(None);
        };
        // Sections nest without the reader's own depth, so their height is what counts.
        if self.depth + 1 + height > MAX_DEPTH {
            return Err(too_deep(self.cursor, place));
        }
        self.height = self.height.max(1 + height);
        Ok(Some(body))
    }

    /// The body of a label.
    fn labelled(&mut self) -> Result<(Arc<Graph>, usize), GraphError> {
        let place = self.cursor.place();
        let label = self.cursor.string("the body's label")?;
        self.bodies.get(&label).cloned().ok_or_else(|| {
            let message = format!("no body before this graph has the label {label:?}");
            self.cursor.error_at(place, message)
        })
    }

    fn finish(self) -> Result<(Graph, usize), GraphError> {
        let mut graph = self.builder.finish_unverified();
        for (state, (place, number)) in graph.states.iter_mut().zip(self.states) {
            let Some(&value) = self.values.get(&number) else {
                return Err(self
                    .cursor
                    .error_at(place, format!("%{number} is not defined")));
            };
            state.output = value;
        }
        Ok((graph, self.height))
    }
}
