//! Weights through files: round trips in each layout and precision, and what a file that does not fit gets.

use std::path::Path;

use crate::common::{SIDE, inputs, max_difference, outputs, tiny};
use burn::tensor::{DType, Device};
use burn_store::{FloatCastAdapter, ModuleSnapshot, SafetensorsStore};
use mirage_model::{AnyModel, ModelConfig, ModelError, WeightLayout, build, named_parameters};

fn other_seed(model: &AnyModel) -> AnyModel {
    build(model.config(), &Device::flex(), 99).expect("model")
}

fn picture(model: &AnyModel) -> Vec<f32> {
    outputs(model, inputs(model, SIDE, 2, &Device::flex()))[0]
        .1
        .clone()
}

#[test]
fn round_trips_are_exact_in_both_layouts() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("w.safetensors");
    let saved = tiny(&Device::flex());
    for layout in [WeightLayout::Burn, WeightLayout::PyTorch] {
        saved.save_weights(&path, layout).expect("save");
        let mut loaded = other_seed(&saved);
        assert_ne!(picture(&loaded), picture(&saved));
        assert!(!loaded.is_trained());
        loaded.load_weights(&path, layout).expect("load");
        assert!(loaded.is_trained());
        assert_eq!(picture(&loaded), picture(&saved), "{layout:?}");
    }
    let files = std::fs::read_dir(folder.path()).expect("folder").count();
    assert_eq!(files, 1, "no temporary file stays");
}

#[test]
fn file_keys_are_module_paths() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("w.safetensors");
    let model = tiny(&Device::flex());
    let header = |layout| {
        model.save_weights(&path, layout).expect("save");
        let bytes = std::fs::read(&path).expect("read");
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
        String::from_utf8(bytes[8..8 + length].to_vec()).expect("json")
    };
    let burn = header(WeightLayout::Burn);
    for parameter in named_parameters(&model) {
        assert!(
            burn.contains(&format!("\"{}\"", parameter.path)),
            "{}",
            parameter.path
        );
    }
    assert!(header(WeightLayout::PyTorch).contains("\"down.0.block.0.norm1.weight\""));
}

#[test]
fn half_precision_files_load_as_f32() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("w.safetensors");
    let saved = tiny(&Device::flex());
    for (dtype, bound) in [(DType::F16, 2e-2), (DType::BF16, 1e-1)] {
        let mut store = SafetensorsStore::from_file(&path)
            .overwrite(true)
            .with_to_adapter(FloatCastAdapter::to(dtype));
        saved.save_into(&mut store).expect("save");
        let mut loaded = other_seed(&saved);
        loaded
            .load_weights(&path, WeightLayout::Burn)
            .expect("load");
        assert!(
            named_parameters(&loaded)
                .iter()
                .all(|p| p.dtype == DType::F32)
        );
        let difference = max_difference(&picture(&loaded), &picture(&saved));
        assert!(
            difference > 0.0 && difference < bound,
            "{dtype:?}: {difference}"
        );
    }
}

fn refused(model: &AnyModel, path: &Path) -> ModelError {
    let mut model = model.clone();
    let before = picture(&model);
    let error = model
        .load_weights(path, WeightLayout::Burn)
        .expect_err("refused");
    assert_eq!(picture(&model), before, "a failed load changes nothing");
    assert!(!model.is_trained());
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[test]
fn weights_of_another_network_are_listed_with_shapes() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("w.safetensors");
    let device = Device::flex();
    let model = tiny(&device);
    let deeper = model
        .config()
        .with_overrides(&["network.blocks=2"])
        .expect("override");
    let deeper = build(&deeper, &device, 0).expect("model");
    let wider = model
        .config()
        .with_overrides(&["network.channels=32"])
        .expect("override");
    let wider = build(&wider, &device, 0).expect("model");

    deeper
        .save_weights(&path, WeightLayout::Burn)
        .expect("save");
    let ModelError::WeightsMisfit { misfit, .. } = refused(&model, &path) else {
        panic!("misfit expected");
    };
    assert!(misfit.missing.is_empty());
    assert!(
        misfit
            .unused
            .contains(&"down.0.block.1.conv1.weight".to_owned()),
        "{:?}",
        misfit.unused
    );

    model.save_weights(&path, WeightLayout::Burn).expect("save");
    let ModelError::WeightsMisfit { misfit, .. } = refused(&deeper, &path) else {
        panic!("misfit expected");
    };
    assert!(
        misfit
            .missing
            .contains(&"down.0.block.1.conv1.weight".to_owned()),
        "{:?}",
        misfit.missing
    );

    wider.save_weights(&path, WeightLayout::Burn).expect("save");
    let error = refused(&model, &path);
    let text = error.to_string();
    let ModelError::WeightsMisfit { misfit, .. } = error else {
        panic!("misfit expected");
    };
    assert!(misfit.mismatched.len() > 10);
    let mix = "input.weight (network [16, 9, 3, 3], file [32, 9, 3, 3])".to_owned();
    assert!(misfit.mismatched.contains(&mix), "{:?}", misfit.mismatched);
    let wanted = format!("{} of another shape: ", misfit.mismatched.len());
    assert!(text.contains(&wanted) && text.ends_with(", …"), "{text}");
    assert_eq!(text.matches("(network").count(), 10, "{text}");
}

#[test]
fn broken_files_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("w.safetensors");
    let model = tiny(&Device::flex());
    model.save_weights(&path, WeightLayout::Burn).expect("save");
    let whole = std::fs::read(&path).expect("read");
    let mut huge_header = whole.clone();
    huge_header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let cases = [
        ("empty", Vec::new()),
        (
            "nonsense",
            b"not a safetensors file at all, only text".to_vec(),
        ),
        ("truncated in the header", whole[..100].to_vec()),
        (
            "truncated in the data",
            whole[..whole.len() - 1000].to_vec(),
        ),
        (
            "longer than its header says",
            [whole.as_slice(), &[0; 16]].concat(),
        ),
        ("huge header", huge_header),
    ];
    for (case, bytes) in cases {
        std::fs::write(&path, bytes).expect("write");
        let text = refused(&model, &path).to_string();
        assert!(
            text.starts_with("cannot read weights from ") && text.contains("w.safetensors"),
            "{case}: {text}"
        );
    }
    let gone = refused(&model, &folder.path().join("gone.safetensors")).to_string();
    assert!(
        gone.contains("gone.safetensors") && gone.contains("No such file"),
        "{gone}"
    );
    let text = refused(&model, folder.path()).to_string();
    assert!(
        text.starts_with("cannot read weights from "),
        "a folder: {text}"
    );
}

#[test]
fn a_failed_save_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("folder");
    let model = tiny(&Device::flex());
    let path = folder.path().join("no/such/folder/w.safetensors");
    let text = model
        .save_weights(&path, WeightLayout::Burn)
        .expect_err("no folder")
        .to_string();
    assert!(
        text.starts_with("cannot write weights to ") && !text.contains('\n'),
        "{text}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
}

#[test]
fn loading_needs_no_particular_seed_or_preset_name() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("w.safetensors");
    let config = ModelConfig::load("lsd-tiny").expect("preset");
    let saved = build(&config, &Device::flex(), 5).expect("model");
    saved.save_weights(&path, WeightLayout::Burn).expect("save");
    let renamed = config.with_overrides(&["name=mine"]).expect("override");
    let mut loaded = build(&renamed, &Device::flex(), 6).expect("model");
    loaded
        .load_weights(&path, WeightLayout::Burn)
        .expect("load");
    assert_eq!(picture(&loaded), picture(&saved));
}
