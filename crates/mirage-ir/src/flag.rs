//! Flags of a graph: attributes that control how it is run.

use std::fmt;

use crate::{Graph, GraphBuilder};

/// A boolean attribute of a whole graph. Passes set it if the backend's capabilities list it; backends
/// read it. In text and wire form it is an ordinary attribute: `{static_plan = true}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GraphFlag {
    /// The backend should plan memory and kernels once, at compile, and replay the plan.
    StaticPlan,
    /// The backend may round operands of f32 matrix products to tf32.
    Tf32Products,
}

impl GraphFlag {
    /// Every flag.
    pub const ALL: [GraphFlag; 2] = [GraphFlag::StaticPlan, GraphFlag::Tf32Products];

    /// The attribute's name.
    pub const fn name(self) -> &'static str {
        match self {
            GraphFlag::StaticPlan => "static_plan",
            GraphFlag::Tf32Products => "tf32_products",
        }
    }
}

impl fmt::Display for GraphFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Graph {
    /// Whether the flag is set. [`verify`](crate::verify()) rejects a graph whose attribute is not a boolean.
    pub fn has_flag(&self, flag: GraphFlag) -> bool {
        self.attrs().get(flag.name()).and_then(toml::Value::as_bool) == Some(true)
    }

    /// Sets the flag.
    pub fn set_flag(&mut self, flag: GraphFlag) {
        self.set_attr(flag.name(), true);
    }

    /// Returns the first flag whose attribute is not a boolean, and its value.
    pub(crate) fn damaged_flag(&self) -> Option<(GraphFlag, &toml::Value)> {
        GraphFlag::ALL.into_iter().find_map(|flag| {
            let value = self.attrs().get(flag.name())?;
            (!value.is_bool()).then_some((flag, value))
        })
    }
}

impl GraphBuilder {
    /// See [`Graph::set_flag`].
    pub fn set_flag(&mut self, flag: GraphFlag) {
        self.set_attr(flag.name(), true);
    }
}

#[cfg(test)]
mod tests {
    use crate::{GraphFlag, text, verify};

    fn graph(attributes: &str) -> Result<crate::Graph, crate::GraphError> {
        text::parse(&format!(
            "graph \"g\" {attributes} {{\n  input %0 \"x\": f32[4]\n  output \"y\" = %0\n}}\n"
        ))
    }

    #[test]
    fn a_flag_is_an_attribute_in_text() {
        for flag in GraphFlag::ALL {
            let mut g = graph("{other = 1}").unwrap();
            assert!(!g.has_flag(flag));
            g.set_flag(flag);
            let read = text::parse(&text::print(&g)).unwrap();
            assert!(read.has_flag(flag));
            assert!(text::print(&read).contains(&format!("{flag} = true")));
        }
        let off = graph("{static_plan = false}").unwrap();
        assert!(!off.has_flag(GraphFlag::StaticPlan));
        verify(&off).unwrap();
    }

    #[test]
    fn a_flag_that_is_no_boolean_is_refused() {
        let error = graph("{tf32_products = \"yes\"}").and_then(|g| verify(&g));
        assert_eq!(
            error.unwrap_err().to_string(),
            "graph `g`: attribute `tf32_products` must be true or false, got \"yes\""
        );
    }
}
