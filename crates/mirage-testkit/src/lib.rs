//! Conformance tests for backends.
//!
//! [`conformance!`] defines them as tests of your crate. They check an executable's handling of states and
//! invalid arguments, and compare every operation, region, dtype and memory order with its definition in
//! f64, with and without a static plan.
//!
//! ```
//! # use mirage_backend::{Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable};
//! # use mirage_ir::{Graph, Params, target::Capabilities};
//! # struct MyBackend;
//! # impl Backend for MyBackend {
//! #     fn info(&self) -> BackendInfo {
//! #         BackendInfo { name: "mine", version: "1", engine: "none", summary: "has no device" }
//! #     }
//! #     fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError> {
//! #         Ok(Vec::new())
//! #     }
//! #     fn capabilities(&self, _device: usize) -> Capabilities {
//! #         Capabilities::default()
//! #     }
//! #     fn tolerance(&self) -> f64 {
//! #         1e-5
//! #     }
//! #     fn compile(&self, _: &Graph, _: &Params, _: &CompileOptions) -> Result<Box<dyn Executable>, BackendError> {
//! #         Err(BackendError::Argument("has no device".to_owned()))
//! #     }
//! # }
//! mirage_testkit::conformance!(&MyBackend);
//! # fn main() {
//! # assert!(mirage_testkit::Suite::new(&MyBackend, mirage_testkit::Expectations::default()).is_none());
//! # }
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test fails by a panic"
)]

mod graphs;
mod run;
pub mod suite;

pub use graphs::{ENCODER, encoder, one, region, ty};
pub use run::{between, compile, execute, noise, noisy, planned};
pub use suite::{Expectations, Suite};

/// Defines the conformance tests for a backend, given as an expression of type `&dyn Backend`. The optional second argument is
/// the [`Expectations`]. If the backend has no device on this machine, the tests are skipped, which is
/// printed.
///
/// Tests of dtypes that the backend's capabilities do not list are skipped likewise.
#[macro_export]
macro_rules! conformance {
    ($backend:expr) => {
        $crate::conformance!($backend, $crate::Expectations::default());
    };
    ($backend:expr, $expectations:expr) => {
        $crate::conformance! { @each $backend, $expectations,
            executable::states_move_on_and_can_be_carried_over,
            executable::a_state_keeps_its_order,
            executable::wrong_arguments_are_named,
            executable::what_cannot_be_compiled_is_named,
            executable::a_failing_execution_names_its_node_and_leaves_the_states,
            executable::a_profile_names_the_nodes_of_the_graph_once_each,
            executable::the_prologue_runs_once,
            executable::results_are_written_into_given_buffers,
            executable::everything_may_be_a_result,
            executable::devices_are_named,
            regions::regions_run_their_bodies,
            regions::every_kind_agrees_in_every_dtype_and_order,
            layers::convolutions,
            layers::matrix_products,
            layers::normalizations_in_any_order,
            layers::pooling_of_one_to_three_dimensions,
            layers::resampling,
            layers::sampling_at_places_of_a_grid,
            layers::attention_with_everything,
            layers::true_in_a_mask_leaves_the_key_out,
            layers::a_query_without_keys_gives_zeros,
            layers::what_is_held_elsewhere_is_not_written_over,
            plans::a_closed_loop_agrees_with_its_definition,
            plans::the_planned_peak_is_less_than_all_activations,
            random::f32_graphs_agree_with_their_definition,
            random::f64_graphs_agree_with_their_definition,
            random::half_precision_graphs_agree_within_their_precision,
            random::graphs_of_mixed_dtypes_agree,
            random::graphs_that_call_bodies_agree,
            random::regions_round_where_a_cast_is,
        }
    };
    (@each $backend:expr, $expectations:expr, $($module:ident :: $name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                match $crate::Suite::new($backend, $expectations) {
                    Some(suite) => $crate::suite::$module::$name(&suite),
                    None => $crate::suite::skipped(stringify!($name)),
                }
            }
        )*
    };
}
