//! Checks input tensors of a model.

use mirage_ir::{OpError, TensorData, interp::Tensor};
use mirage_model::{Size, TensorSpec};
use mirage_stream::NotFinite;

/// Returns batch and size of the picture among the inputs, whose channels come first, or last where only that can be
/// meant; `None` if it is missing or has another rank.
pub fn picture_shape(given: &[(String, TensorData)], picture: &str) -> Option<(usize, Size)> {
    let (_, data) = given.iter().find(|(name, _)| name == picture)?;
    match data.shape[..] {
        // A picture with channels last is refused by its own size and not by that of its channels.
        [batch, height, width, 3] if height != 3 => Some((batch, Size { width, height })),
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
                        "`{name}` is {}{:?}, but the model expects {takes}{}",
                        data.dtype,
                        data.shape,
                        channels_last(&data.shape, &spec.shape)
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

/// What to do about a picture whose channels come last.
fn channels_last(found: &[usize], wanted: &[usize]) -> &'static str {
    match (found, wanted) {
        (&[b, h, w, c], &[batch, channels, height, width])
            if [b, c, h, w] == [batch, channels, height, width] =>
        {
            ": channels come first; permute it from [B,H,W,C] to [B,C,H,W]"
        }
        _ => "",
    }
}

/// Returns the inputs that hold NaN or infinite elements, with their number, as text.
///
/// # Errors
/// If a tensor is damaged.
pub fn not_finite(tensors: &[(String, TensorData)]) -> Result<Option<String>, OpError> {
    let mut found = Vec::new();
    for (name, data) in tensors {
        let count = NotFinite::of(&Tensor::from_data(data)?);
        if count.any() {
            found.push(format!("{name}: {count}"));
        }
    }
    Ok((!found.is_empty()).then(|| found.join("; ")))
}

fn dtype(spec: &TensorSpec) -> String {
    format!("{:?}", spec.dtype).to_lowercase()
}
