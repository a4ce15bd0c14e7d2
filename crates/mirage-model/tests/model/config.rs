//! Configurations: presets, files, overrides, and what bad ones get: one line that names the key and the right one.

use mirage_model::{LiveStreamUNetConfig, ModelConfig, NetworkConfig, Size, presets};

fn tiny() -> ModelConfig {
    ModelConfig::load("lsd-tiny").expect("preset")
}

fn network(config: &ModelConfig) -> &LiveStreamUNetConfig {
    match &config.network {
        NetworkConfig::LiveStreamUnet(network) => network,
        other => panic!("{other:?}"),
    }
}

#[test]
fn presets_parse_and_print_back() {
    for preset in presets() {
        let config = preset.config().expect(preset.name);
        assert_eq!(config.name, preset.name);
        let printed = config.to_toml().expect("toml");
        assert_eq!(
            ModelConfig::from_toml(&printed, "printed").expect("parses"),
            config
        );
    }
}

#[test]
fn overrides_change_what_they_name() {
    let config = tiny()
        .with_overrides(&[
            "network.channels = 24",
            "network.multipliers=[1,3]",
            "network.attention.levels=[1]",
            "network.memory.levels=[]",
            "network.attention.head_dim=8",
            "schedule.betas=cosine",
            "schedule.beta_end=0.02",
            "size.width=128",
            "name=\"mine\"",
        ])
        .expect("overrides");
    assert_eq!(network(&config).level_channels(), [24, 72]);
    assert_eq!(config.name, "mine");
    assert_eq!(
        config.size,
        Size {
            width: 128,
            height: 64
        }
    );
    assert!((config.schedule.beta_end - 0.02).abs() < 1e-12);
    assert_eq!(config.side_multiple(), 2);
}

#[test]
fn bad_overrides_say_what_is_meant() {
    let cases = [
        (
            "network.chanels=8",
            "--set: unknown key `network.chanels`: did you mean `network.channels`?",
        ),
        (
            "channels=8",
            "--set: unknown key `channels`: did you mean `network.channels`?",
        ),
        ("network=8", "--set: unknown key `network`: "),
        (
            "network.channels",
            "--set network.channels: expected key=value",
        ),
        (
            "network.channels=many",
            "--set network.channels=many: `network.channels` must be an integer, not `many`",
        ),
        ("network.channels=1.5", "must be an integer, not `1.5`"),
        ("network.channels=-8", "--set network.channels=-8: "),
        (
            "network.channels=12",
            "model `lsd-tiny`: network.channels must be a positive multiple of 8, not 12",
        ),
        ("network.channels=", "must be an integer"),
        (
            "network.channels=99999992",
            "network.channels must be from 8 to 16384",
        ),
        (
            "network.multipliers=4",
            "must be a list of integers such as [1, 2, 4]",
        ),
        (
            "network.multipliers=[\"a\"]",
            "must be a list of integers such as [1, 2, 4]",
        ),
        (
            "network.multipliers=[]",
            "network.multipliers must be from 1 to 8, not 0",
        ),
        (
            "network.norm_groups=16",
            "network.norm_groups must divide 16 channels into groups of two or more",
        ),
        (
            "network.attention.levels=[7]",
            "network.attention.levels must be from 0 to 2, not 7",
        ),
        (
            "network.attention.levels=[2,2]",
            "network.attention.levels has level 2 twice",
        ),
        (
            "network.memory.levels=[0]",
            "network.memory.levels must be levels of network.attention.levels; 0 is not",
        ),
        (
            "network.kind=unet",
            "--set network.kind=unet: unknown variant `unet`",
        ),
        (
            "schedule.beta_start=2",
            "schedule.beta_start must be between 0 and 1, not 2",
        ),
        (
            "schedule.train_timesteps=0",
            "schedule.train_timesteps must be from 1 to 100000, not 0",
        ),
        (
            "size.width=62",
            "cannot run at 62x64: both sides must be multiples of 4 from 4 to 16384 (the network halves them 2 times); the nearest size is 64x64",
        ),
        ("size.height=0", "the nearest size is 64x4"),
    ];
    for (text, wanted) in cases {
        let error = tiny().with_overrides(&[text]).expect_err(text).to_string();
        assert!(error.contains(wanted), "{text}: {error}");
        assert!(!error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn bad_files_say_where_and_what() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("mine.toml");
    let good = tiny().to_toml().expect("toml");
    let cases = [
        (
            good.replace("slots = 15", "slotz = 15"),
            "unknown key `network.memory.slotz`: did you mean `network.memory.slots`?",
        ),
        (good.replace("slots = 15\n", ""), "missing field `slots`"),
        (
            good.replace("blocks = 1", "blocks = \"one\""),
            "invalid type: string \"one\", expected usize",
        ),
        (
            good.replace("live-stream-unet", "live-stream-unnet"),
            "unknown network.kind `live-stream-unnet`: did you mean `live-stream-unet`?",
        ),
        (
            good.replace("channels = 16", "channels = = 16"),
            "mine.toml:",
        ),
        (String::new(), "missing field"),
        ("\u{0}\u{1}not toml".to_owned(), "mine.toml:1:"),
    ];
    for (text, wanted) in cases {
        std::fs::write(&path, &text).expect("write");
        let error = ModelConfig::load(&path.to_string_lossy())
            .expect_err(wanted)
            .to_string();
        assert!(
            error.contains(wanted) && error.contains("mine.toml"),
            "{wanted}: {error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
    let gone = ModelConfig::load("no/such/file.toml")
        .expect_err("gone")
        .to_string();
    assert!(
        gone.starts_with("cannot read model configuration no/such/file.toml"),
        "{gone}"
    );
}

#[test]
fn an_unknown_model_gets_the_nearest_preset() {
    let error = ModelConfig::load("lsd-tinny")
        .expect_err("unknown")
        .to_string();
    assert!(
        error.starts_with("unknown model `lsd-tinny` (neither a preset nor a .toml file): did you mean `lsd-tiny`?"),
        "{error}"
    );
    let error = ModelConfig::load("zzz").expect_err("unknown").to_string();
    assert!(
        error.contains("expected one of lsd-tiny, lsd-light"),
        "{error}"
    );
}
