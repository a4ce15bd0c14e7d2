//! Random graphs through text form and wire form.

use mirage_ir::{
    DType,
    generate::{Options, generate},
    interp, text, wire,
};

#[test]
fn random_graphs_survive_both_forms() {
    let dtypes = vec![DType::F64, DType::F32, DType::F16, DType::BF16];
    let options = Options {
        dtypes,
        calls: true,
        ..Options::default()
    };
    for seed in 0..500 {
        let graph = generate(seed, &options).unwrap().graph;
        assert_eq!(
            wire::decode(&wire::encode(&graph)).unwrap(),
            graph,
            "seed {seed}"
        );
        let printed = text::print(&graph);
        let read = text::parse(&printed).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{printed}"));
        assert_eq!(text::print(&read), printed, "seed {seed}");
        assert_eq!(
            text::parse(&text::print(&read)).unwrap(),
            read,
            "seed {seed}"
        );
    }
}

/// What was read computes what was printed, bit for bit.
#[test]
fn a_graph_that_was_read_computes_the_same() {
    let options = Options {
        calls: true,
        ..Options::default()
    };
    for seed in 0..100 {
        let g = generate(seed, &options).unwrap();
        let read = text::parse(&text::print(&g.graph)).unwrap();
        let run = |graph| interp::run(graph, &g.params, &g.inputs, &g.states).unwrap();
        let (before, after) = (run(&g.graph), run(&read));
        assert_eq!(
            format!("{:?}", before.outputs),
            format!("{:?}", after.outputs),
            "seed {seed}"
        );
        assert_eq!(
            format!("{:?}", before.states),
            format!("{:?}", after.states),
            "seed {seed}"
        );
    }
}
