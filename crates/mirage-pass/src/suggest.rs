//! The nearest right name to a wrong one.

/// The candidate that `name` is most likely a slip of, if one is near enough.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&name, c), c))
        .filter(|&(distance, c)| {
            let length = c.len().max(name.len());
            distance <= length.div_ceil(3) && distance < length
        })
        .min()
        .map(|(_, c)| c)
}

/// What to do about an unknown name, as the end of a sentence: the nearest right name, or all.
pub(crate) fn advice<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match nearest(name, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => "none is known".to_owned(),
        None => format!("expected one of {}", candidates.join(", ")),
    }
}
