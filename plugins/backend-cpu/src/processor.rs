//! Which processor this is.

use std::thread::available_parallelism;

/// The processor, for people.
pub(crate) struct Processor {
    pub(crate) name: String,
    threads: usize,
    vectors: Vec<&'static str>,
}

impl Processor {
    /// This machine's.
    pub(crate) fn here() -> Self {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Processor {
            name: model_name(&text).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            threads: available_parallelism().map_or(1, usize::from),
            vectors: vectors(),
        }
    }

    /// Threads and vector extensions.
    pub(crate) fn details(&self) -> String {
        let threads = match self.threads {
            1 => "1 thread".to_owned(),
            n => format!("{n} threads"),
        };
        match self.vectors[..] {
            [] => threads,
            _ => format!("{threads}, {}", self.vectors.join(" ")),
        }
    }
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|l| l.starts_with("model name"))?;
    let name = line.split_once(':')?.1.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> Vec<&'static str> {
    let all = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
        ("avx512fp16", is_x86_feature_detected!("avx512fp16")),
    ];
    all.into_iter().filter(|a| a.1).map(|a| a.0).collect()
}

#[cfg(target_arch = "aarch64")]
fn vectors() -> Vec<&'static str> {
    let all = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        ("sve", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    all.into_iter().filter(|a| a.1).map(|a| a.0).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn vectors() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_name_is_read() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nflags\t: a b\n";
        assert_eq!(model_name(text).as_deref(), Some("Some CPU @ 2.0GHz"));
        assert_eq!(model_name("model name\t:\n"), None);
        assert_eq!(model_name(""), None);
    }

    #[test]
    fn there_is_always_something_to_say() {
        let here = Processor::here();
        assert!(!here.name.is_empty());
        assert!(here.details().contains("thread"));
    }
}
