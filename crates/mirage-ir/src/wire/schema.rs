//! The serde types of the wire form.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};
use toml::Value;

use crate::{Attrs, TensorType};

#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct GraphForm {
    pub(super) name: String,
    pub(super) attrs: Attributes,
    pub(super) inputs: Vec<PortForm>,
    pub(super) params: Vec<PortForm>,
    pub(super) states: Vec<StateForm>,
    pub(super) nodes: Vec<NodeForm>,
    pub(super) outputs: Vec<ResultForm>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PortForm {
    pub(super) name: Arc<str>,
    pub(super) value: u32,
    #[serde(rename = "type")]
    pub(super) ty: TensorType,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StateForm {
    pub(super) name: Arc<str>,
    pub(super) value: u32,
    #[serde(rename = "type")]
    pub(super) ty: TensorType,
    pub(super) becomes: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct NodeForm {
    pub(super) op: String,
    pub(super) attrs: Attributes,
    pub(super) inputs: Vec<u32>,
    pub(super) outputs: Vec<Definition>,
    pub(super) path: Arc<str>,
    pub(super) body: Option<Box<GraphForm>>,
    /// The index of a call's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) callee: Option<u32>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Definition {
    pub(super) value: u32,
    #[serde(rename = "type")]
    pub(super) ty: TensorType,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ResultForm {
    pub(super) name: Arc<str>,
    pub(super) value: u32,
}

/// Attributes as plain maps, names in alphabetical order.
///
/// TOML's own serde form is not used, because it has a private form for dates and reads a similar map as
/// a date.
pub(super) struct Attributes(pub(super) Attrs);

struct Plain<V>(V);

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        serialize_table(&self.0, s)
    }
}

fn serialize_table<S: Serializer>(table: &Attrs, s: S) -> Result<S::Ok, S::Error> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| *name);
    let mut map = s.serialize_map(Some(entries.len()))?;
    for (name, value) in entries {
        map.serialize_entry(name, &Plain(value))?;
    }
    map.end()
}

impl Serialize for Plain<&Value> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Boolean(b) => s.serialize_bool(*b),
            Value::Integer(i) => s.serialize_i64(*i),
            Value::Float(x) => s.serialize_f64(*x),
            Value::String(text) => s.serialize_str(text),
            Value::Datetime(d) => s.collect_str(d),
            Value::Array(items) => s.collect_seq(items.iter().map(Plain)),
            Value::Table(table) => serialize_table(table, s),
        }
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Plain::deserialize(d)?.0 {
            Value::Table(table) => Ok(Attributes(table)),
            other => Err(de::Error::custom(format!(
                "attributes must be a map, not a {}",
                other.type_str()
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Plain<Value> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ValueVisitor).map(Plain)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bool, a 64-bit integer, a float, a string, an array or a map")
    }

    fn visit_bool<E: de::Error>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Boolean(b))
    }

    fn visit_i64<E: de::Error>(self, i: i64) -> Result<Value, E> {
        Ok(Value::Integer(i))
    }

    fn visit_u64<E: de::Error>(self, i: u64) -> Result<Value, E> {
        i64::try_from(i)
            .map(Value::Integer)
            .map_err(|_| E::custom(format!("integer {i} is too large")))
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        // No capacity from the stated length, which may lie.
        let mut items = Vec::new();
        while let Some(Plain(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut table = Attrs::new();
        while let Some(name) = map.next_key::<String>()? {
            let Plain(value) = map.next_value()?;
            if table.contains_key(&name) {
                return Err(de::Error::custom(format!(
                    "attribute `{name}` is given twice"
                )));
            }
            table.insert(name, value);
        }
        Ok(Value::Table(table))
    }
}
