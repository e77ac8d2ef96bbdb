//! Sessions in a file of one process.
