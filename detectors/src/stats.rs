//! The distributions behind the habit tests, evaluated only through `libm`, so that every machine gets the same bits.

mod beta;
mod binomial;
mod negative_binomial;
mod student;

pub(crate) use binomial::upper_tail as binomial_tail;
pub(crate) use negative_binomial::upper_tail as negative_binomial_tail;
pub(crate) use student::{QuantileTable, upper_tail as student_tail};

/// The smallest probability that is told apart from nothing.
pub(crate) const MIN_PROBABILITY: f64 = 1e-300;
