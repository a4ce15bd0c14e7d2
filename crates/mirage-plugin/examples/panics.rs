//! A plugin that panics where it can: a fixture of the tests, in which nothing may come of it but an
//! error.

use mirage_backend::{Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable};
use mirage_ir::{Graph, Params, target::Capabilities};
use mirage_pass::{Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase};

mirage_plugin::export! { passes: [&Panics], backends: [&Panics] }

struct Panics;

impl Pass for Panics {
    fn info(&self) -> &'static PassInfo {
        static INFO: PassInfo = PassInfo::new(
            "panics",
            1,
            "panics",
            Phase::Simplify,
            Numerics::BitIdentical,
        );
        &INFO
    }

    fn run(&self, graph: &mut Graph, _: &PassContext<'_>) -> Result<Outcome, PassError> {
        panic!("no idea what to do with\n`{}`", graph.name())
    }
}

impl Backend for Panics {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "panics",
            version: "1.0",
            engine: "none",
            summary: "panics",
        }
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError> {
        panic!("the devices are out")
    }

    fn capabilities(&self, _: usize) -> Capabilities {
        panic!("nothing can be done")
    }

    fn compile(
        &self,
        _: &Graph,
        _: &Params,
        _: &CompileOptions,
    ) -> Result<Box<dyn Executable>, BackendError> {
        panic!("compiling is not my thing")
    }
}
