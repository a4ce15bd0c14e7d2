//! Compares the tensors of a checkpoint with the parameters of a network.

use std::{collections::HashSet, fmt};

use burn_store::{BurnToPyTorchAdapter, ModuleAdapter, ModuleSnapshot};
use safetensors::Dtype;

use super::{WeightLayout, checkpoint::Checkpoint, file::TensorEntry};
use crate::AnyModel;

/// The differences between a weight file and a network. Names and shapes are those of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Misfit {
    /// Parameters of the network that the file lacks.
    pub missing: Vec<String>,
    /// Tensors of the file that the network does not have.
    pub unused: Vec<String>,
    /// Parameters with another shape in the file, with that of the network.
    pub mismatched: Vec<String>,
    /// Parameters with a dtype in the file that cannot be used, with the dtype.
    pub unusable: Vec<String>,
    /// What may be the cause, if there is a guess.
    pub hint: Option<String>,
}

/// Maximum number of keys of each sort in a message, beside their count.
const NAMED: usize = 10;

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorts = [
            ("missing from the file", &self.missing),
            ("not in the network", &self.unused),
            ("of another shape", &self.mismatched),
            (
                "of a dtype that cannot be used (convert to F32, F16 or BF16)",
                &self.unusable,
            ),
        ];
        let mut separator = "";
        for (sort, keys) in sorts.into_iter().filter(|(_, keys)| !keys.is_empty()) {
            let named = keys[..keys.len().min(NAMED)].join(", ");
            let more = if keys.len() > NAMED { ", …" } else { "" };
            write!(f, "{separator}{} {sort}: {named}{more}", keys.len())?;
            separator = "; ";
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Misfit {
    /// Returns whether there is no difference.
    pub(super) fn is_empty(&self) -> bool {
        let sorts = [
            &self.missing,
            &self.unused,
            &self.mismatched,
            &self.unusable,
        ];
        sorts.iter().all(|keys| keys.is_empty())
    }
}

/// Where a parameter is in a checkpoint.
pub(super) struct Source {
    /// The name that a file in this layout has for it, without a prefix.
    pub(super) name: String,
    /// The name in the checkpoint.
    pub(super) file_name: String,
    /// The shape in a file of this layout.
    pub(super) shape: Vec<usize>,
}

/// How a checkpoint fits a network.
pub(super) struct Fit {
    /// Every parameter, in the network's order.
    pub(super) sources: Vec<Source>,
    pub(super) misfit: Misfit,
    /// What is done to make it fit, a line each.
    pub(super) notes: Vec<String>,
}

impl Fit {
    /// Compares by the headers alone. `outline` is the network, whose weights are not read.
    pub(super) fn of(checkpoint: &Checkpoint, outline: &AnyModel, layout: WeightLayout) -> Self {
        let adapter: Option<Box<dyn ModuleAdapter>> = match layout {
            WeightLayout::Burn => None,
            WeightLayout::PyTorch => Some(Box::new(BurnToPyTorchAdapter)),
        };
        let parameters = outline.collect(None, adapter, false);
        let keys: HashSet<&str> = checkpoint.entries().map(|e| e.name.as_str()).collect();
        let wanted: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
        let prefix = prefix(&keys, &wanted);
        let sources: Vec<Source> = parameters
            .iter()
            .map(|p| Source {
                name: p.name.clone(),
                file_name: format!("{prefix}{}", p.name),
                shape: p.shape.to_vec(),
            })
            .collect();
        let mut misfit = Misfit::default();
        for source in &sources {
            match checkpoint.find(&source.file_name) {
                None => misfit.missing.push(source.file_name.clone()),
                Some((_, entry)) if !is_float(entry.dtype) => {
                    misfit
                        .unusable
                        .push(format!("{} ({:?})", entry.name, entry.dtype));
                }
                Some((_, entry)) => misfit.mismatched.extend(mismatch(source, entry)),
            }
        }
        let known: HashSet<&str> = sources.iter().map(|s| s.file_name.as_str()).collect();
        let mut left_out = Vec::new();
        for entry in checkpoint
            .entries()
            .filter(|e| !known.contains(e.name.as_str()))
        {
            match is_float(entry.dtype) {
                true => misfit.unused.push(entry.name.clone()),
                false if entry.name.ends_with(BATCHES_TRACKED) => {}
                false => left_out.push(format!("{} ({:?})", entry.name, entry.dtype)),
            }
        }
        misfit.hint = hint(&misfit, checkpoint);
        let mut notes = Vec::new();
        if !prefix.is_empty() {
            notes.push(format!(
                "the prefix `{prefix}` of all tensors in the weight file was removed, because their names fit the model without it"
            ));
        }
        if !left_out.is_empty() {
            let named = left_out[..left_out.len().min(NAMED)].join(", ");
            let more = if left_out.len() > NAMED { ", …" } else { "" };
            notes.push(format!(
                "tensors of the weight file that the model does not need were left out: {named}{more}"
            ));
        }
        Fit {
            sources,
            misfit,
            notes,
        }
    }
}

/// A counter of PyTorch's batch norms, which is not used at inference.
const BATCHES_TRACKED: &str = "num_batches_tracked";

/// Returns whether a parameter can be read from this dtype.
pub(super) fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// Returns the prefix, up to a dot, that all keys share and without which most of them are wanted names; empty if no prefix
/// makes more of them fit.
fn prefix(keys: &HashSet<&str>, wanted: &[&str]) -> String {
    let mut shared = keys.iter().copied();
    let first = shared.next().unwrap_or_default();
    let common = shared.fold(first.len(), |most, key| {
        let same = first.bytes().zip(key.bytes()).take_while(|(a, b)| a == b);
        same.count().min(most)
    });
    let fitting = |prefix: &str| {
        let full = wanted.iter().map(|name| format!("{prefix}{name}"));
        full.filter(|name| keys.contains(name.as_str())).count()
    };
    let mut best = ("", fitting(""));
    for end in first
        .match_indices('.')
        .map(|(at, _)| at + 1)
        .take_while(|end| *end <= common)
    {
        let fits = fitting(&first[..end]);
        if fits > best.1 {
            best = (&first[..end], fits);
        }
    }
    best.0.to_owned()
}

fn mismatch(source: &Source, entry: &TensorEntry) -> Option<String> {
    let name = &entry.name;
    let (wanted, found) = (&source.shape, &entry.shape);
    if wanted == found {
        return None;
    }
    let turned = match wanted.len() > 1 && wanted.iter().rev().eq(found) {
        true => ": transposed",
        false => "",
    };
    Some(format!(
        "{name} (network {wanted:?}, file {found:?}{turned})"
    ))
}

fn hint(misfit: &Misfit, checkpoint: &Checkpoint) -> Option<String> {
    if let (false, Some(of)) = (misfit.missing.is_empty(), checkpoint.is_one_shard_of()) {
        return Some(format!(
            "the file is one of {of} shards: pass the folder, or the .safetensors.index.json"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::prefix;

    #[test]
    fn a_prefix_is_removed_only_if_the_names_fit_without_it() {
        let wanted = ["down.0.weight", "down.1.weight"];
        let of = |keys: &[&str]| prefix(&keys.iter().copied().collect::<HashSet<_>>(), &wanted);
        assert_eq!(of(&["down.0.weight", "down.1.weight"]), "");
        assert_eq!(
            of(&["module.down.0.weight", "module.down.1.weight"]),
            "module."
        );
        assert_eq!(
            of(&["a.b_c.down.0.weight", "a.b_c.down.1.weight"]),
            "a.b_c."
        );
        // A key outside of the prefix stays a difference.
        assert_eq!(of(&["module.down.0.weight", "step"]), "");
        assert_eq!(of(&["other.0.weight", "other.1.weight"]), "");
        assert_eq!(of(&[]), "");
        // One that the network's own names begin with is kept.
        let own = prefix(&["down.0.weight"].into_iter().collect(), &["down.0.weight"]);
        assert_eq!(own, "");
    }
}
