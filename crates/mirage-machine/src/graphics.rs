//! Graphics cards and their drivers, as reported by the system, without vendors' libraries.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{library::find_program, sys};

/// Time limit for `nvidia-smi`.
const PATIENCE: Duration = Duration::from_secs(5);

/// The graphics cards and drivers of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Graphics {
    /// The cards.
    pub cards: Vec<Card>,
    /// The version of NVIDIA's kernel driver, if it is loaded.
    pub nvidia_driver: Option<String>,
    /// NVIDIA's device files. Without them a container cannot use a card, even with a driver.
    pub nvidia_devices: Vec<PathBuf>,
    /// Why `nvidia-smi`, which is on PATH, failed.
    pub nvidia_smi_error: Option<String>,
}

/// A graphics card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Its name, or its vendor if the name is unknown.
    pub name: String,
    /// Its kernel module, if any.
    pub driver: Option<String>,
    /// Its memory in bytes, if known.
    pub memory: Option<u64>,
}

impl Graphics {
    /// Returns those of this machine.
    pub fn here() -> Self {
        let mut graphics = Self::read(Path::new("/"));
        if let Some(program) = find_program("nvidia-smi") {
            match ask_nvidia_smi(&program) {
                Ok(cards) if !cards.is_empty() => {
                    graphics.cards.retain(|card| !card.name.contains("NVIDIA"));
                    graphics.cards.extend(cards);
                }
                Ok(_) => {}
                Err(why) => graphics.nvidia_smi_error = Some(why),
            }
        }
        graphics
    }

    fn read(root: &Path) -> Self {
        let nvidia = root.join("proc/driver/nvidia");
        let mut cards: Vec<Card> = entries(&nvidia.join("gpus"))
            .into_iter()
            .filter_map(|card| nvidia_name(&sys::text(&card.join("information"))?))
            .map(|name| Card {
                name: format!("NVIDIA {}", name.trim_start_matches("NVIDIA ")),
                driver: Some("nvidia".to_owned()),
                memory: None,
            })
            .collect();
        let known = !cards.is_empty();
        let others = entries(&root.join("sys/class/drm")).into_iter();
        let others = others
            .filter(|path| is_numbered(path, "card"))
            .filter_map(|c| drm_card(&c));
        cards.extend(others.filter(|card| !(known && card.name == "NVIDIA")));
        let devices = entries(&root.join("dev")).into_iter();
        Graphics {
            cards,
            nvidia_driver: sys::text(&nvidia.join("version")).and_then(|t| driver_version(&t)),
            nvidia_devices: devices.filter(|path| is_numbered(path, "nvidia")).collect(),
            nvidia_smi_error: None,
        }
    }
}

/// Returns the names in a folder in order; empty if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = read.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Whether a file name is this prefix with a number.
fn is_numbered(path: &Path, name: &str) -> bool {
    let file = path.file_name().and_then(|f| f.to_str());
    let number = file.and_then(|f| f.strip_prefix(name));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn nvidia_name(information: &str) -> Option<String> {
    let line = information
        .lines()
        .find_map(|line| line.strip_prefix("Model:"))?;
    Some(line.trim().to_owned())
}

/// Returns the version in `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue …`.
fn driver_version(text: &str) -> Option<String> {
    let first = text.lines().next()?;
    let is_version =
        |word: &&str| word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    first.split_whitespace().find(is_version).map(str::to_owned)
}

/// Returns a card by its PCI vendor id.
fn drm_card(card: &Path) -> Option<Card> {
    let device = card.join("device");
    let name = match sys::text(&device.join("vendor"))?.as_str() {
        "0x10de" => "NVIDIA",
        "0x1002" => "AMD",
        "0x8086" => "Intel",
        _ => return None,
    };
    let driver = fs::read_link(device.join("driver")).ok();
    Some(Card {
        name: name.to_owned(),
        driver: driver.and_then(|d| Some(d.file_name()?.to_string_lossy().into_owned())),
        memory: sys::number(&device.join("mem_info_vram_total")),
    })
}

fn ask_nvidia_smi(program: &Path) -> Result<Vec<Card>, String> {
    let mut child = Command::new(program)
        .args([
            "--query-gpu=name,memory.total",
            "--format=csv,noheader,nounits",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    // It waits for the driver, which may hang. Its answer fits into a pipe.
    let end = Instant::now() + PATIENCE;
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if Instant::now() > end {
            // Whether it can be killed or not, its answer is not awaited any longer.
            let _ = child.kill();
            return Err(format!(
                "it did not respond within {} s",
                PATIENCE.as_secs()
            ));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        Ok(text.lines().filter_map(smi_card).collect())
    } else {
        Err(text.lines().next().unwrap_or("it failed").trim().to_owned())
    }
}

/// Parses a line such as `NVIDIA H100 80GB HBM3, 81559`, where the number is MiB.
fn smi_card(line: &str) -> Option<Card> {
    let (name, memory) = line.rsplit_once(',')?;
    Some(Card {
        name: name.trim().to_owned(),
        driver: Some("nvidia".to_owned()),
        memory: memory.trim().parse::<u64>().ok().map(|mib| mib << 20),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    #[test]
    fn cards_are_found_by_what_the_kernel_tells() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let root = root.path();
        let version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar 5\nGCC\n";
        write(root, "proc/driver/nvidia/version", version);
        let card = "proc/driver/nvidia/gpus/0000:01:00.0/information";
        write(root, card, "Model: \t\t NVIDIA H100\nIRQ: 7\n");
        write(root, "dev/nvidia0", "");
        write(root, "dev/nvidiactl", "");
        write(root, "sys/class/drm/card0/device/vendor", "0x10de\n");
        write(root, "sys/class/drm/card1/device/vendor", "0x1002\n");
        write(
            root,
            "sys/class/drm/card1/device/mem_info_vram_total",
            "1024\n",
        );
        write(root, "sys/class/drm/card1-DP-1/device/vendor", "0x1002\n");
        let found = Graphics::read(root);
        assert_eq!(found.nvidia_driver.as_deref(), Some("550.54.15"));
        assert_eq!(found.nvidia_devices, [root.join("dev/nvidia0")]);
        let names: Vec<&str> = found.cards.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["NVIDIA H100", "AMD"]);
        assert_eq!(found.cards[1].memory, Some(1024));
    }

    #[test]
    fn a_machine_without_cards_has_none() {
        let root = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(Graphics::read(root.path()), Graphics::default());
    }

    #[test]
    fn a_line_of_nvidia_smi_is_a_card() {
        let card = smi_card("NVIDIA H100 80GB HBM3, 81559").expect("a card");
        assert_eq!(
            (card.name.as_str(), card.memory),
            ("NVIDIA H100 80GB HBM3", Some(81559 << 20))
        );
        assert_eq!(smi_card("No devices were found"), None);
    }
}
