//! Checks that each pass leaves a valid graph with the same interface.

use mirage_ir::{Graph, verify};

use super::{Change, Instrument, StepView};
use crate::{Fault, PassRun, Plan, check_interface};

/// Runs the verifier before the first pass and after each. Called bodies must keep their interfaces too,
/// because their calls depend on them. Always installed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verify;

impl Instrument for Verify {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn begin(&mut self, _plan: &Plan, graph: &Graph) -> Result<(), Fault> {
        verify(graph).map_err(Fault::Invalid)
    }

    fn after(
        &mut self,
        _step: StepView<'_>,
        change: Change<'_>,
        _run: &mut PassRun,
    ) -> Result<(), Fault> {
        for body in change.bodies {
            verify(&body.after).map_err(Fault::Invalid)?;
            check_interface(&body.before, &body.after).map_err(|message| Fault::BodyInterface {
                body: body.before.name().to_owned(),
                message,
            })?;
        }
        verify(change.after).map_err(Fault::Invalid)
    }
}

/// Runs [`check_interface`] after each pass that does not declare
/// [`changes_interface`](crate::PassInfo::changes_interface). Always installed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interface;

impl Instrument for Interface {
    fn name(&self) -> &'static str {
        "interface"
    }

    fn after(
        &mut self,
        step: StepView<'_>,
        change: Change<'_>,
        _run: &mut PassRun,
    ) -> Result<(), Fault> {
        if step.step.info().changes_interface {
            return Ok(());
        }
        check_interface(change.before, change.after).map_err(Fault::Interface)
    }
}
