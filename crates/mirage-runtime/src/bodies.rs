//! Bodies that are called: compiled once, run at every call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mirage_backend::BackendError;
use mirage_ir::{Graph, Params};

use crate::{Engine, Prepared};

/// The compiled bodies of a program, one for each that it calls, however often it does.
pub(crate) struct Bodies<'a, C> {
    params: &'a Params,
    compiled: Vec<(Arc<Graph>, Arc<Mutex<C>>)>,
    weight_bytes: u64,
}

impl<'a, C> Bodies<'a, C> {
    /// None so far, of a program with these parameters.
    pub(crate) fn new(params: &'a Params) -> Self {
        Bodies {
            params,
            compiled: Vec::new(),
            weight_bytes: 0,
        }
    }

    /// The bytes of all their weights.
    pub(crate) fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Every body.
    pub(crate) fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, C>> {
        self.compiled.iter().map(|(_, body)| lock(body))
    }

    /// The compiled form of a body. `compile` makes it at the first call.
    pub(crate) fn get<E: Engine>(
        &mut self,
        engine: &E,
        graph: &Arc<Graph>,
        compile: impl FnOnce(&mut Prepared<E>, &mut Self) -> Result<C, BackendError>,
    ) -> Result<Arc<Mutex<C>>, BackendError> {
        if let Some((_, body)) = self.compiled.iter().find(|(g, _)| Arc::ptr_eq(g, graph)) {
            return Ok(body.clone());
        }
        let mut prepared = Prepared::new(engine, graph, self.params)?;
        let body = Arc::new(Mutex::new(compile(&mut prepared, self)?));
        self.weight_bytes += prepared.weight_bytes();
        self.compiled.push((graph.clone(), body.clone()));
        Ok(body)
    }
}

/// The body, whatever became of an execution before.
pub(crate) fn lock<C>(body: &Mutex<C>) -> MutexGuard<'_, C> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}
