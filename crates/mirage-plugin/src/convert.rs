//! Conversions between the traits' types and their forms in messages.

use std::time::Duration;

use mirage_backend::{
    Backend, BackendError, BackendInfo, DeviceInfo, MemoryReport, NodeClock, NodeTime,
};
use mirage_ir::NodeId;
use mirage_pass::{Need, Numerics, OptionKind, OptionSpec, Outcome, PassInfo, Phase};

use crate::message::{
    BackendForm, ClockForm, DeviceForm, ErrorForm, KindForm, MemoryForm, NeedForm, NodeTimeForm,
    NumericsForm, OptionForm, OutcomeForm, PassForm,
};

impl PassForm {
    /// Converts a pass's metadata.
    pub fn of(info: &PassInfo) -> Self {
        PassForm {
            name: info.name.to_owned(),
            version: info.version,
            summary: info.summary.to_owned(),
            phase: info.phase.name().to_owned(),
            numerics: NumericsForm::of(info.numerics),
            tags: owned(info.tags),
            requires: owned(info.requires),
            conflicts: owned(info.conflicts),
            after: owned(info.after),
            before: owned(info.before),
            needs: info.needs.iter().map(NeedForm::of).collect(),
            options: info.options.iter().map(OptionForm::of).collect(),
            worth_trying: (info.worth_trying.iter())
                .map(|&(option, value)| (option.to_owned(), value.to_owned()))
                .collect(),
            changes_interface: info.changes_interface,
            always: info.always,
        }
    }

    /// Returns the metadata, which is leaked, because a plugin is never unloaded. The error names what is not
    /// known to this program.
    pub fn leak(self) -> Result<&'static PassInfo, String> {
        let known = Phase::ALL.into_iter().find(|p| p.name() == self.phase);
        let phase = known.ok_or_else(|| {
            let phases = Phase::ALL.map(Phase::name).join(", ");
            format!(
                "pass `{}` has the phase `{}`: expected one of {phases}",
                self.name.escape_debug(),
                self.phase.escape_debug()
            )
        })?;
        Ok(Box::leak(Box::new(PassInfo {
            name: leak(self.name),
            version: self.version,
            summary: leak(self.summary),
            phase,
            numerics: self.numerics.leak(),
            tags: leak_all(self.tags),
            requires: leak_all(self.requires),
            conflicts: leak_all(self.conflicts),
            after: leak_all(self.after),
            before: leak_all(self.before),
            needs: self
                .needs
                .into_iter()
                .map(NeedForm::leak)
                .collect::<Vec<_>>()
                .leak(),
            options: self
                .options
                .into_iter()
                .map(OptionForm::leak)
                .collect::<Vec<_>>()
                .leak(),
            worth_trying: (self.worth_trying.into_iter())
                .map(|(option, value)| (leak(option), leak(value)))
                .collect::<Vec<_>>()
                .leak(),
            changes_interface: self.changes_interface,
            always: self.always,
        })))
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&n| n.to_owned()).collect()
}

fn leak(text: String) -> &'static str {
    text.leak()
}

fn leak_all(texts: Vec<String>) -> &'static [&'static str] {
    texts.into_iter().map(leak).collect::<Vec<_>>().leak()
}

impl NumericsForm {
    fn of(numerics: Numerics) -> Self {
        match numerics {
            Numerics::BitIdentical => NumericsForm::BitIdentical,
            Numerics::SameDefinition => NumericsForm::SameDefinition,
            Numerics::Reassociates => NumericsForm::Reassociates,
            Numerics::LowersPrecision { tolerance } => NumericsForm::LowersPrecision { tolerance },
            Numerics::Lossy { metric } => NumericsForm::Lossy {
                metric: metric.to_owned(),
            },
        }
    }

    fn leak(self) -> Numerics {
        match self {
            NumericsForm::BitIdentical => Numerics::BitIdentical,
            NumericsForm::SameDefinition => Numerics::SameDefinition,
            NumericsForm::Reassociates => Numerics::Reassociates,
            NumericsForm::LowersPrecision { tolerance } => Numerics::LowersPrecision { tolerance },
            NumericsForm::Lossy { metric } => Numerics::Lossy {
                metric: leak(metric),
            },
        }
    }
}

impl NeedForm {
    fn of(need: &Need) -> Self {
        NeedForm {
            subject: need.subject.clone(),
            dtype: need.dtype,
        }
    }

    fn leak(self) -> Need {
        Need {
            subject: self.subject,
            dtype: self.dtype,
        }
    }
}

impl OptionForm {
    fn of(spec: &OptionSpec) -> Self {
        OptionForm {
            name: spec.name.to_owned(),
            kind: KindForm::of(spec.kind),
            default: spec.default.to_owned(),
            doc: spec.doc.to_owned(),
        }
    }

    fn leak(self) -> OptionSpec {
        OptionSpec {
            name: leak(self.name),
            kind: self.kind.leak(),
            default: leak(self.default),
            doc: leak(self.doc),
        }
    }
}

impl KindForm {
    fn of(kind: OptionKind) -> Self {
        match kind {
            OptionKind::Bool => KindForm::Bool,
            OptionKind::Int { min, max } => KindForm::Int { min, max },
            OptionKind::Float { min, max } => KindForm::Float { min, max },
            OptionKind::Str => KindForm::Str,
            OptionKind::Choice(choices) => KindForm::Choice(owned(choices)),
            OptionKind::Set(choices) => KindForm::Set(owned(choices)),
        }
    }

    fn leak(self) -> OptionKind {
        match self {
            KindForm::Bool => OptionKind::Bool,
            KindForm::Int { min, max } => OptionKind::Int { min, max },
            KindForm::Float { min, max } => OptionKind::Float { min, max },
            KindForm::Str => OptionKind::Str,
            KindForm::Choice(choices) => OptionKind::Choice(leak_all(choices)),
            KindForm::Set(choices) => OptionKind::Set(leak_all(choices)),
        }
    }
}

impl BackendForm {
    /// Converts a backend's information.
    pub fn of(backend: &dyn Backend) -> Self {
        let info = backend.info();
        BackendForm {
            tolerance: backend.tolerance(),
            name: info.name.to_owned(),
            version: info.version.to_owned(),
            engine: info.engine.to_owned(),
            summary: info.summary.to_owned(),
        }
    }

    /// Returns the information, which is leaked, because a plugin is never unloaded.
    pub fn leak(self) -> BackendInfo {
        BackendInfo {
            name: leak(self.name),
            version: leak(self.version),
            engine: leak(self.engine),
            summary: leak(self.summary),
        }
    }
}

impl From<Outcome> for OutcomeForm {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Changed { rewrites, notes } => OutcomeForm::Changed {
                rewrites: rewrites as u64,
                notes,
            },
            Outcome::Unchanged { reasons } => OutcomeForm::Unchanged { reasons },
        }
    }
}

impl From<OutcomeForm> for Outcome {
    fn from(form: OutcomeForm) -> Self {
        match form {
            OutcomeForm::Changed { rewrites, notes } => Outcome::Changed {
                rewrites: usize::try_from(rewrites).unwrap_or(usize::MAX),
                notes,
            },
            OutcomeForm::Unchanged { reasons } => Outcome::Unchanged { reasons },
        }
    }
}

impl From<DeviceInfo> for DeviceForm {
    fn from(device: DeviceInfo) -> Self {
        DeviceForm {
            index: device.index as u64,
            name: device.name,
            details: device.details,
        }
    }
}

impl DeviceForm {
    /// Returns the device; an error if its index is out of range.
    pub fn into_info(self) -> Result<DeviceInfo, String> {
        let index = usize::try_from(self.index);
        Ok(DeviceInfo {
            index: index
                .map_err(|_| format!("{} is out of range for the index of a device", self.index))?,
            name: self.name,
            details: self.details,
        })
    }
}

impl From<MemoryReport> for MemoryForm {
    fn from(memory: MemoryReport) -> Self {
        // Destructures every field, so that a new field has to be converted for this to compile.
        let MemoryReport {
            weight_bytes,
            state_bytes,
            planned_peak_bytes,
            held_bytes,
        } = memory;
        MemoryForm {
            weight_bytes,
            state_bytes,
            planned_peak_bytes,
            held_bytes,
        }
    }
}

impl From<MemoryForm> for MemoryReport {
    fn from(form: MemoryForm) -> Self {
        MemoryReport {
            weight_bytes: form.weight_bytes,
            state_bytes: form.state_bytes,
            planned_peak_bytes: form.planned_peak_bytes,
            held_bytes: form.held_bytes,
        }
    }
}

impl From<NodeClock> for ClockForm {
    fn from(clock: NodeClock) -> Self {
        match clock {
            NodeClock::Host => ClockForm::Host,
            NodeClock::Device => ClockForm::Device,
        }
    }
}

impl From<ClockForm> for NodeClock {
    fn from(form: ClockForm) -> Self {
        match form {
            ClockForm::Host => NodeClock::Host,
            ClockForm::Device => NodeClock::Device,
        }
    }
}

impl From<NodeTime> for NodeTimeForm {
    fn from(time: NodeTime) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        NodeTimeForm {
            node: time.node.index() as u64,
            start: nanoseconds(time.start),
            nanoseconds: nanoseconds(time.time),
        }
    }
}

impl NodeTimeForm {
    /// Returns the time; an error if the graph does not have the node.
    pub fn into_time(self, nodes: usize) -> Result<NodeTime, String> {
        match usize::try_from(self.node) {
            Ok(index) if index < nodes => Ok(NodeTime {
                node: NodeId::from_index(index),
                start: Duration::from_nanos(self.start),
                time: Duration::from_nanos(self.nanoseconds),
            }),
            _ => Err(format!(
                "a time refers to node {}, but the graph has {nodes} nodes",
                self.node
            )),
        }
    }
}

impl From<BackendError> for ErrorForm {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Unsupported {
                node,
                op,
                path,
                reason,
                ..
            } => ErrorForm::Unsupported {
                node: node as u64,
                op,
                path,
                reason,
            },
            BackendError::Memory {
                message, available, ..
            } => ErrorForm::Memory { message, available },
            BackendError::Engine { message, .. } => ErrorForm::Engine { message },
            other => ErrorForm::Argument {
                message: other.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{CompiledForm, decode};

    #[test]
    fn a_compilation_says_whose_clock_times_its_nodes() {
        let clock = |text: &str| {
            let form: CompiledForm = decode(text.as_bytes()).expect("a compilation");
            NodeClock::from(form.node_clock)
        };
        assert_eq!(clock(r#"{"notes": []}"#), NodeClock::Host);
        assert_eq!(clock(r#"{"node_clock": "device"}"#), NodeClock::Device);
        assert!(decode::<CompiledForm>(br#"{"node_clock": "sun"}"#).is_err());
        assert_eq!(ClockForm::from(NodeClock::Device), ClockForm::Device);
    }
}
