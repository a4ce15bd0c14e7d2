//! Called bodies: each is compiled once and run at every call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mirage_backend::BackendError;
use mirage_ir::{Graph, Params};

use crate::{Engine, Prepared};

/// The compiled bodies of a program, one for each distinct body.
pub(crate) struct Bodies<'a, C> {
    params: &'a Params,
    compiled: Vec<(Arc<Graph>, Arc<Mutex<C>>)>,
    weight_bytes: u64,
}

impl<'a, C> Bodies<'a, C> {
    /// Returns an empty table for a program with these parameters.
    pub(crate) fn new(params: &'a Params) -> Self {
        Bodies {
            params,
            compiled: Vec::new(),
            weight_bytes: 0,
        }
    }

    /// Returns the bytes of the weights of all bodies.
    pub(crate) fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Iterates over the bodies.
    pub(crate) fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, C>> {
        self.compiled.iter().map(|(_, body)| lock(body))
    }

    /// Returns the compiled form of a body; calls `compile` the first time.
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

/// Locks the body, even if an earlier execution panicked.
pub(crate) fn lock<C>(body: &Mutex<C>) -> MutexGuard<'_, C> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}
