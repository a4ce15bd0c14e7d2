//! Tensors on a device.

use std::{any::Any, fmt};

use mirage_ir::TensorType;

/// A tensor on a backend's device. Opaque: only the executable (or another one of the same backend
/// and device) can read it.
pub struct Buffer {
    ty: TensorType,
    content: Box<dyn Any + Send>,
}

impl Buffer {
    /// Wraps a backend's own tensor. For backends.
    pub fn new(ty: TensorType, content: impl Any + Send) -> Self {
        Buffer {
            ty,
            content: Box::new(content),
        }
    }

    /// Its type. Whatever the order says, uploads and downloads are in logical row-major sequence.
    pub fn ty(&self) -> &TensorType {
        &self.ty
    }

    /// The backend's own tensor, if it is of this kind. For backends.
    pub fn content<T: Any>(&self) -> Option<&T> {
        self.content.downcast_ref()
    }

    /// The backend's own tensor to write to, if it is of this kind. For backends.
    pub fn content_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.content.downcast_mut()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({})", self.ty)
    }
}
