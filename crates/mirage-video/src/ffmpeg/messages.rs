//! What ffmpeg writes to standard error.

/// The messages of a process: how many, and the one that says what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Complaints {
    pub(crate) count: u64,
    /// The first message.
    pub(crate) first: Option<String>,
    /// The message that explains a failure.
    pub(crate) cause: Option<String>,
}

/// Messages that only say that something failed before.
const CONSEQUENCES: &[&str] = &[
    "Conversion failed!",
    "Error opening input",
    "Error opening output",
    "Error initializing output stream",
    "Error while decoding stream",
    "Error while processing the decoded data",
    "Error while opening encoder",
    "Error sending frames to consumers",
    "Could not write header",
    "Nothing was written into output file",
    "Task finished with error code",
    "Terminating thread with return code",
    "Cannot determine format of input stream",
    "Error marking filters as finished",
    "Output file is empty",
    "Error submitting packet to decoder",
];

impl Complaints {
    pub(crate) fn of(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut found = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(times) = repeats(line) {
                found.count += times;
                continue;
            }
            found.count += 1;
            let line = plain(line);
            found.first.get_or_insert_with(|| line.clone());
            if !CONSEQUENCES.iter().any(|c| line.contains(c)) {
                found.cause.get_or_insert(line);
            }
        }
        if found.cause.is_none() {
            found.cause = found.first.clone();
        }
        found
    }
}

/// Returns N for `Last message repeated N times`.
fn repeats(line: &str) -> Option<u64> {
    let number = line
        .strip_prefix("Last message repeated ")?
        .strip_suffix(" times")?;
    number.parse().ok()
}

/// Removes the address of an object from `[h264 @ 0x55d0] text`.
fn plain(line: &str) -> String {
    let Some((head, text)) = line.strip_prefix('[').and_then(|l| l.split_once("] ")) else {
        return line.to_owned();
    };
    match head.split_once(" @ 0x") {
        Some((part, _)) => format!("{part}: {}", plain(text)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_and_repeats_are_counted() {
        let text = "[NULL @ 0x55] Unable to find a suitable output\n[h264 @ 0x1] error while decoding MB 3 1\n    \
                    Last message repeated 9 times\nConversion failed!\n";
        let found = Complaints::of(text.as_bytes());
        assert_eq!(found.count, 12);
        assert_eq!(
            found.cause.as_deref(),
            Some("NULL: Unable to find a suitable output")
        );
        let only = Complaints::of(b"Conversion failed!\n");
        assert_eq!(only.cause.as_deref(), Some("Conversion failed!"));
        assert_eq!(Complaints::of(b"\n"), Complaints::default());
    }
}
