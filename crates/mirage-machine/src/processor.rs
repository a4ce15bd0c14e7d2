//! Description of the processor.

use std::path::Path;

use serde::Serialize;

use crate::sys;

/// The processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Processor {
    /// Its name, or its architecture if the name is unknown.
    pub name: String,
    /// The vector extensions that it has of those that kernels use, with the compiler's names.
    pub features: Vec<&'static str>,
    /// Number of threads of engines: rayon's, which RAYON_NUM_THREADS sets.
    pub threads: usize,
}

impl Processor {
    /// Describes this machine's processor.
    pub fn here() -> Self {
        let cpuinfo = sys::text(Path::new("/proc/cpuinfo")).unwrap_or_default();
        Processor {
            name: model_name(&cpuinfo).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            features: features(),
            threads: rayon::current_num_threads(),
        }
    }

    /// Formats threads and vector extensions: `2 threads, avx2 fma`.
    pub fn details(&self) -> String {
        let threads = match self.threads {
            1 => "1 thread".to_owned(),
            n => format!("{n} threads"),
        };
        match self.features[..] {
            [] => threads,
            _ => format!("{threads}, {}", self.features.join(" ")),
        }
    }
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|l| l.starts_with("model name"))?;
    let name = line.split_once(':')?.1.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
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
fn features() -> Vec<&'static str> {
    let all = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        ("bf16", std::arch::is_aarch64_feature_detected!("bf16")),
        ("sve", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    all.into_iter().filter(|a| a.1).map(|a| a.0).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
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
    fn threads_and_features_are_one_line() {
        let mut processor = Processor {
            name: "some".to_owned(),
            features: vec!["avx2", "fma"],
            threads: 2,
        };
        assert_eq!(processor.details(), "2 threads, avx2 fma");
        processor.features.clear();
        processor.threads = 1;
        assert_eq!(processor.details(), "1 thread");
    }

    #[test]
    fn there_is_always_something_to_say() {
        let here = Processor::here();
        assert!(!here.name.is_empty());
        assert!(here.details().contains("thread"));
    }
}
