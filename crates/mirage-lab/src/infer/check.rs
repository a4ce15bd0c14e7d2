//! Checks input tensors of a model.

use mirage_ir::TensorData;
use mirage_model::{Size, TensorSpec};

/// Returns batch and size of the picture among the inputs; `None` if it is missing or has another rank.
pub fn picture_shape(given: &[(String, TensorData)], picture: &str) -> Option<(usize, Size)> {
    let (_, data) = given.iter().find(|(name, _)| name == picture)?;
    match data.shape[..] {
        [batch, _, height, width] => Some((batch, Size { width, height })),
        _ => None,
    }
}

/// Returns the inputs in the order of the specs.
///
/// # Errors
/// A message for every missing, mistyped and unknown tensor.
pub fn check(
    mut given: Vec<(String, TensorData)>,
    specs: &[TensorSpec],
) -> Result<Vec<(String, TensorData)>, Vec<String>> {
    let mut inputs = Vec::with_capacity(specs.len());
    let mut faults = Vec::new();
    let names: Vec<String> = given.iter().map(|(name, _)| name.clone()).collect();
    for spec in specs {
        let takes = format!("{}{:?}", dtype(spec), spec.shape);
        match given.iter().position(|(name, _)| *name == spec.name) {
            None => faults.push(format!("`{}` ({takes}) is missing", spec.name)),
            Some(at) => {
                let (name, data) = given.swap_remove(at);
                if data.shape != spec.shape || data.dtype.name() != dtype(spec) {
                    faults.push(format!(
                        "`{name}` is {}{:?}, but the model expects {takes}",
                        data.dtype, data.shape
                    ));
                }
                inputs.push((name, data));
            }
        }
    }
    for (name, _) in &given {
        let free = specs
            .iter()
            .map(|s| s.name.as_str())
            .filter(|s| !names.iter().any(|n| n == s));
        let hint = match mirage_suggest::nearest(name, free) {
            Some(near) => format!(": did you mean `{near}`?"),
            None => String::new(),
        };
        faults.push(format!("`{name}` is not an input of the model{hint}"));
    }
    match faults.is_empty() {
        true => Ok(inputs),
        false => Err(faults),
    }
}

fn dtype(spec: &TensorSpec) -> String {
    format!("{:?}", spec.dtype).to_lowercase()
}
