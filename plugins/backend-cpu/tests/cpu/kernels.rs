//! The executor's promises to the engine and to kernels of a backend's own: who holds a tensor and
//! when it is let go, regions whole where there is a kernel, weights in the order that is wanted.

use std::sync::{Arc, Mutex};

use crate::support::{between, execute, noisy, ty};
use burn_backend::ops::FloatTensorOps;
use burn_flex::{Flex, FlexDevice};
use mirage_backend::Executable;
use mirage_burn::{Engine, Executor, Generic, Kernel, Kernels, NodeContext, Tensor, TypedArgs};
use mirage_ir::{
    Graph, Node, Order, Params, interp,
    ops::{Conv, Region, Unary},
    text,
};

fn compile(
    graph: &Graph,
    params: &Params,
    kernels: impl Kernels<Flex> + 'static,
) -> Executor<Flex> {
    let engine = Engine::<Flex>::new("test", FlexDevice, Arc::new(kernels));
    Executor::compile(&engine, graph, params).unwrap()
}

/// Negation that notes whether it alone holds its operand.
struct Probe(Arc<Mutex<Vec<bool>>>);

impl Kernels<Flex> for Probe {
    fn lower(&self, cx: &NodeContext<'_, Flex>) -> Option<Kernel<Flex>> {
        let seen = self.0.clone();
        (cx.node.op.get::<Unary>() == Some(&Unary::Neg)).then(|| -> Kernel<Flex> {
            Box::new(move |args| {
                let x = args.float(0);
                seen.lock().unwrap().push(x.is_unique());
                args.set(0, Tensor::Float(Flex::float_neg(x)));
                Ok(())
            })
        })
    }
}

#[test]
fn the_last_use_of_a_value_moves_it_and_nothing_outlives_its_use() {
    let graph = text::parse(
        r#"graph "chain" {
            input %0 "x": f32[4]
            param %1 "w": f32[4]
            %2: f32[4] = neg(%0)       # held by the caller
            %3: f32[4] = neg(%2)       # used again below
            %4: f32[4] = neg(%3)       # its last use
            %5: f32[4] = neg(%2)       # its last use
            %6: f32[4] = mul(%4, %1)
            %7: f32[4] = neg(%5)       # its last use
            %8: f32[4] = neg(%7)       # leaves the graph
            %9: f32[4] = add(%6, %8)
            output "y" = %9
            output "z" = %7
        }"#,
    )
    .unwrap();
    let (params, inputs) = noisy(&graph);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut executor = compile(&graph, &params, Probe(seen.clone()));
    for _ in 0..2 {
        seen.lock().unwrap().clear();
        let port = executor.inputs()[0].clone();
        let x = executor
            .upload(&inputs[0].to_data(port.ty.dtype).unwrap(), &port.ty)
            .unwrap();
        let outputs = executor.execute(&[x]).unwrap();
        assert_eq!(
            *seen.lock().unwrap(),
            [false, false, true, true, true, false]
        );
        for output in &outputs {
            let Some(Tensor::Float(tensor)) = output.content::<Tensor<Flex>>() else {
                panic!()
            };
            assert!(tensor.is_unique(), "a slot still holds {tensor:?}");
        }
    }
}

/// A kernel for one kind of region: notes that it was asked, and computes something else.
struct Zero;

impl Kernels<Flex> for Zero {
    fn lower(&self, cx: &NodeContext<'_, Flex>) -> Option<Kernel<Flex>> {
        let region = cx.node.op.get::<Region>()?;
        (region.kind == "special").then(|| -> Kernel<Flex> {
            Box::new(|args| {
                let x = args.float(0);
                args.set(0, Tensor::Float(Flex::float_sub(x.clone(), x)));
                Ok(())
            })
        })
    }
}

#[test]
fn a_region_with_a_kernel_comes_whole_and_one_without_runs_its_body() {
    let graph = text::parse(
        r#"graph "regions" {
            input %0 "x": f32[4]
            %1: f32[4] = region(%0) {kind = "special"} graph "special" {
                input %0 "x": f32[4]
                %1: f32[4] = tanh(%0)
                output "y" = %1
            }
            %2: f32[4] = region(%0) {kind = "other"} graph "other" {
                input %0 "x": f32[4]
                %1: f32[4] = tanh(%0)
                output "y" = %1
            }
            output "special" = %1
            output "other" = %2
        }"#,
    )
    .unwrap();
    let (params, inputs) = noisy(&graph);
    let want = interp::run(&graph, &params, &inputs, &[]).unwrap();
    let got = execute(&mut compile(&graph, &params, Zero), &inputs, &[]).unwrap();
    assert_eq!(got.outputs[0].floats().unwrap(), [0.0; 4]);
    assert!(
        interp::Difference::between(&got.outputs[1], &want.outputs[1])
            .unwrap()
            .max_rel
            < 1e-6
    );
    let generic = execute(&mut compile(&graph, &params, Generic), &inputs, &[]).unwrap();
    assert!(between(&generic, &want).max_rel < 1e-6);
}

/// Wants the weights of convolutions channels last, and notes the order in which they come.
struct ChannelsLast(Arc<Mutex<Vec<Order>>>);

impl Kernels<Flex> for ChannelsLast {
    fn lower(&self, cx: &NodeContext<'_, Flex>) -> Option<Kernel<Flex>> {
        if cx.node.op.is::<Conv>() {
            self.0.lock().unwrap().push(cx.inputs[1].order.clone());
        }
        None
    }

    fn weight_order(&self, _graph: &Graph, node: &Node, operand: usize) -> Option<Order> {
        (node.op.is::<Conv>() && operand == 1).then(|| Order::channels_last(4))
    }
}

#[test]
fn weights_are_held_in_the_order_that_their_consumers_want() {
    let conv = |w: &str| {
        format!(
            "conv(%0, %{w}) {{dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}}"
        )
    };
    let graph = text::parse(&format!(
        r#"graph "weights" {{
            input %0 "x": f32[1,3,5,4]
            param %1 "own": f32[2,3,3,3]
            param %2 "shared": f32[2,3,3,3]
            %3: f32[1,2,5,4] = {}
            %4: f32[1,2,5,4] = {}
            %5: f32[2,3,3,3] = neg(%2)
            output "a" = %3
            output "b" = %4
            output "weights" = %2
            output "c" = %5
        }}"#,
        conv("1"),
        conv("2")
    ))
    .unwrap();
    let (params, inputs) = noisy(&graph);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut executor = compile(&graph, &params, ChannelsLast(seen.clone()));
    // The one that leaves the graph stays as its type says.
    assert_eq!(
        *seen.lock().unwrap(),
        [Order::channels_last(4), Order::row_major(4)]
    );
    let got = execute(&mut executor, &inputs, &[]).unwrap();
    let want = interp::run(&graph, &params, &inputs, &[]).unwrap();
    assert!(between(&got, &want).max_rel < 1e-5);
    assert_eq!(
        executor.memory().weight_bytes,
        3 * ty("f32[2,3,3,3]").bytes() as u64
    );
}
