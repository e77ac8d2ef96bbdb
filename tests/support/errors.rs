//! What an error shows.

use std::error::Error;
use std::fmt::Write;
use std::iter;

/// An error, with all its causes, in every form in which somebody may print it.
pub fn texts(error: &(dyn Error + 'static)) -> String {
    let mut texts = String::new();
    for error in iter::successors(Some(error), |&error| error.source()) {
        writeln!(texts, "{error} {error:#} {error:?} {error:#?}").unwrap();
    }
    texts
}
