//! Wire form.
