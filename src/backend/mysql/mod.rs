//! Sessions in MySQL, or what speaks its protocol.
