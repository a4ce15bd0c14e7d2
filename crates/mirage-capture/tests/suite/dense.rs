//! burn's own dense, recurrent and attention modules.

use crate::common::*;
use burn::{
    module::Module,
    nn::{
        Embedding, EmbeddingConfig, Gelu, LayerNormConfig, Linear, LinearConfig, LstmConfig,
        RmsNormConfig,
        attention::generate_autoregressive_mask,
        gru::GruConfig,
        transformer::{TransformerEncoderConfig, TransformerEncoderInput},
    },
    tensor::{Device, Int, Tensor, module::attention, ops::AttentionModuleOptions},
};

#[derive(Module, Debug)]
struct Mlp {
    up: Linear,
    activation: Gelu,
    down: Linear,
}

impl Mlp {
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.down
            .forward(self.activation.forward(self.up.forward(x)))
    }
}

fn mlp() -> Mlp {
    let device = Device::flex();
    let module = Mlp {
        up: LinearConfig::new(6, 10).init(&device),
        activation: Gelu::new(),
        down: LinearConfig::new(10, 3).with_bias(false).init(&device),
    };
    seeded(module, 1)
}

#[test]
fn mlp_is_linear_gelu_linear() {
    let given = [("x", floats(2, [2, 4, 6]))];
    let captured = check(&mlp(), &given, &[], |m, x| m.forward(x.float::<3>("x")));
    // burn folds the batch into the rows, and adds the bias apart.
    assert_eq!(paths_of(&captured, "matmul"), ["up", "down"]);
    assert_eq!(paths_of(&captured, "gelu"), [""]);
    assert_eq!(
        param_names(&captured),
        ["up.weight", "up.bias", "down.weight"]
    );
    every_parameter_matters(&captured, &given, &[]);
}

#[test]
fn a_vector_goes_through_the_mlp_too() {
    check(&mlp(), &[("x", floats(3, [6]))], &[], |m, x| {
        m.forward(x.float::<1>("x"))
    });
}

#[test]
fn transformer_encoder_with_a_padding_mask() {
    let config = TransformerEncoderConfig::new(8, 16, 2, 2).with_norm_first(true);
    let module = seeded(config.init(&Device::flex()), 4);
    let given = [("x", floats(5, [2, 5, 8])), ("pad", bools(6, [2, 5]))];
    let captured = check(&module, &given, &[], |m, x| {
        m.forward(TransformerEncoderInput::new(x.float("x")).mask_pad(x.bool("pad")))
    });
    // A key's bias adds the same to all scores of a query, which softmax takes away.
    every_parameter_matters(&captured, &given, &["mha.key.bias"]);
    assert_eq!(param_names(&captured).len(), 2 * 16);
    assert_eq!(
        paths_of(&captured, "softmax"),
        ["layers.0.mha", "layers.1.mha"]
    );
    let norms = [
        "layers.0.norm_2",
        "layers.0.norm_1",
        "layers.1.norm_2",
        "layers.1.norm_1",
    ];
    assert_eq!(paths_of(&captured, "layer_norm"), norms);
}

#[test]
fn attention_with_a_causal_mask() {
    let given = [
        ("q", floats(7, [1, 2, 4, 6])),
        ("k", floats(8, [1, 2, 4, 6])),
        ("v", floats(9, [1, 2, 4, 5])),
    ];
    let captured = check(&mlp(), &given, &[], |_, x| {
        let mask = generate_autoregressive_mask(1, 4, &x.device())
            .unsqueeze_dim::<4>(1)
            .expand([1, 2, 4, 4]);
        attention(
            x.float("q"),
            x.float("k"),
            x.float("v"),
            Some(mask),
            None,
            AttentionModuleOptions::default(),
        )
    });
    assert!(op_names(&captured).contains(&"attention".to_owned()));
}

#[test]
fn attention_with_scale_softcap_and_bias() {
    let given = [
        ("q", floats(10, [2, 1, 3, 4])),
        ("k", floats(11, [2, 1, 5, 4])),
        ("v", floats(12, [2, 1, 5, 4])),
        ("bias", floats(13, [2, 1, 3, 5])),
    ];
    let options = AttentionModuleOptions {
        scale: Some(0.7),
        softcap: Some(1.5),
        is_causal: true,
    };
    let captured = check(&mlp(), &given, &[], |_, x| {
        attention(
            x.float("q"),
            x.float("k"),
            x.float("v"),
            None,
            Some(x.float("bias")),
            options,
        )
    });
    assert_eq!(op_names(&captured), ["attention"]);
}

#[test]
fn lstm_is_unrolled() {
    let module = seeded(LstmConfig::new(3, 4, true).init(&Device::flex()), 14);
    let given = [("x", floats(15, [2, 5, 3]))];
    let captured = check(&module, &given, &[], |m, x| m.forward(x.float("x"), None).0);
    every_parameter_matters(&captured, &given, &[]);
    let paths = paths_of(&captured, "matmul");
    assert_eq!(paths.len(), 5 * 8);
    assert!(
        paths
            .iter()
            .all(|p| p.ends_with("_gate.input_transform") || p.ends_with("_gate.hidden_transform")),
        "{paths:?}"
    );
}

#[test]
fn gru_is_unrolled() {
    let module = seeded(GruConfig::new(3, 4, true).init(&Device::flex()), 16);
    check(&module, &[("x", floats(17, [2, 3, 3]))], &[], |m, x| {
        m.forward(x.float("x"), None)
    });
}

#[test]
fn embedding_then_linear() {
    #[derive(Module, Debug)]
    struct Words {
        table: Embedding,
        head: Linear,
    }
    let device = Device::flex();
    let module = Words {
        table: EmbeddingConfig::new(11, 6).init(&device),
        head: LinearConfig::new(6, 2).init(&device),
    };
    let given = [("words", ints(18, [2, 5], 11))];
    let captured = check(&seeded(module, 19), &given, &[], |m, x| {
        let words: Tensor<2, Int> = x.int("words");
        m.head.forward(m.table.forward(words))
    });
    assert_eq!(paths_of(&captured, "embedding"), ["table"]);
    assert_eq!(paths_of(&captured, "matmul"), ["head"]);
    every_parameter_matters(&captured, &given, &[]);
}

#[test]
fn norms_of_the_last_dimension() {
    let given = [("x", floats(20, [2, 3, 7]))];
    let layer = seeded(LayerNormConfig::new(7).init(&Device::flex()), 21);
    let captured = check(&layer, &given, &[], |m, x| m.forward(x.float::<3>("x")));
    assert_eq!(op_names(&captured), ["layer_norm"]);
    let rms = seeded(RmsNormConfig::new(7).init(&Device::flex()), 22);
    check(&rms, &given, &[], |m, x| m.forward(x.float::<3>("x")));
}
