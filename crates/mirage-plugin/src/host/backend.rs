//! Backends of plugins.

use mirage_backend::{Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable};
use mirage_ir::{Graph, NodeId, Params, target::Capabilities};

use super::{
    Plugin, call::Trouble, executable::PluginExecutable, functions::BackendFunctions,
    guard::GuardedHandles, lend::Loan,
};
use crate::{
    abi::{Bytes, Tensor},
    message::{CompileForm, CompiledForm, DeviceForm, ErrorForm},
};

/// A backend of a plugin.
pub(super) struct PluginBackend {
    pub(super) plugin: &'static Plugin,
    /// Its index in the plugin's description.
    pub(super) number: u32,
    pub(super) info: BackendInfo,
    pub(super) tolerance: f64,
    pub(super) functions: BackendFunctions,
}

impl PluginBackend {
    fn read_devices(&self) -> Result<Vec<DeviceInfo>, Trouble> {
        let forms: Vec<DeviceForm> = self.plugin.ask("devices", |out| {
            // SAFETY: the function that the header documents under its name.
            unsafe { (self.functions.devices)(self.number, out) }
        })?;
        let infos = forms.into_iter().map(DeviceForm::into_info);
        infos
            .collect::<Result<_, _>>()
            .map_err(|e| Trouble::Breach(format!("returned invalid devices: {e}")))
    }

    fn read_capabilities(&self, device: usize) -> Result<Capabilities, Trouble> {
        let read: Capabilities = self.plugin.ask("capabilities", |out| {
            // SAFETY: the function that the header documents under its name.
            unsafe { (self.functions.capabilities)(self.number, device as u64, out) }
        })?;
        match read.lines.iter().find(|l| l.dtypes.is_empty()) {
            Some(line) => Err(Trouble::Breach(format!(
                "returned capabilities with a line without dtypes: `{}`",
                line.subject.to_string().escape_debug()
            ))),
            None => Ok(read),
        }
    }

    fn compile_there(
        &self,
        graph: &Graph,
        params: &Params,
        options: &CompileOptions,
    ) -> Result<PluginExecutable, Trouble> {
        let plugin = self.plugin;
        let form = plugin.graph(graph)?;
        let device = options.device;
        let options = plugin.message(&CompileForm {
            device: options.device as u64,
        })?;
        let loans: Vec<Loan<'_>> = graph
            .all_params()
            .into_iter()
            .filter_map(|(name, ty)| Some(Loan::new(name, ty, params.get(name)?)))
            .collect();
        let lent: Vec<Tensor> = loans.iter().map(Loan::tensor).collect();
        let mut place = GuardedHandles::new(1);
        let compiled: Result<CompiledForm, Trouble> = plugin.ask("a compilation", |out| {
            let (form, options) = (Bytes::of(&form), Bytes::of(&options));
            let handle = place.place();
            // SAFETY: the function that the header documents under its name; what it gets lives
            // until it returns, and parameters longer if it retains them.
            unsafe {
                (self.functions.compile)(
                    self.number,
                    form,
                    options,
                    lent.as_ptr(),
                    lent.len(),
                    handle,
                    out,
                )
            }
        });
        if !place.is_whole() {
            return Err(plugin.damage());
        }
        let compiled = compiled?;
        match place.handles()[0] {
            handle if handle.is_null() => Err(Trouble::Breach(
                "reported success of a compilation without an executable".to_owned(),
            )),
            handle => Ok(PluginExecutable::new(self, graph, handle, compiled, device)),
        }
    }

    /// Adds to the reason of a failed operation whether the capabilities list it.
    fn with_claim(&self, trouble: Trouble, graph: &Graph, device: usize) -> Trouble {
        let Trouble::Said(ErrorForm::Unsupported {
            node,
            op,
            path,
            reason,
        }) = trouble
        else {
            return trouble;
        };
        let known = usize::try_from(node)
            .ok()
            .filter(|&i| i < graph.nodes().len());
        let dtype = known.map(|i| graph.ty(graph.node(NodeId::from_index(i)).output()).dtype);
        let claims = dtype.filter(|&d| self.capabilities(device).support(&op, d).is_some());
        let reason = match claims {
            Some(dtype) => format!("{reason}; but its capabilities list {op} in {dtype}"),
            None => reason,
        };
        Trouble::Said(ErrorForm::Unsupported {
            node,
            op,
            path,
            reason,
        })
    }
}

impl Backend for PluginBackend {
    fn info(&self) -> BackendInfo {
        self.info
    }

    fn tolerance(&self) -> f64 {
        self.tolerance
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError> {
        let read = self.read_devices();
        read.map_err(|trouble| trouble.into_backend_error(self.plugin, self.info.name))
    }

    fn capabilities(&self, device: usize) -> Capabilities {
        self.read_capabilities(device).unwrap_or_else(|trouble| {
            let why = trouble.sentence(self.plugin);
            tracing::error!(
                "backend `{}` is used without capabilities: {why}",
                self.info.name
            );
            Capabilities::default()
        })
    }

    fn compile(
        &self,
        graph: &Graph,
        params: &Params,
        options: &CompileOptions,
    ) -> Result<Box<dyn Executable>, BackendError> {
        params.check(graph)?;
        match self.compile_there(graph, params, options) {
            Ok(executable) => Ok(Box::new(executable)),
            Err(trouble) => Err(self
                .with_claim(trouble, graph, options.device)
                .into_backend_error(self.plugin, self.info.name)),
        }
    }
}
