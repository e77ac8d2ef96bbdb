//! What goes wrong in a transaction: one record, or the file.

use std::io;

use crate::store::StoreError;

/// Why an operation came to nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// What is kept of one session is damaged; the rest of the transaction goes on.
    Record(StoreError),
    /// The file, and with it the whole transaction.
    File(Box<redb::Error>),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Record(error)
    }
}

/// Every error of redb is one of the file.
macro_rules! of_the_file {
    ($($error:ident)*) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::File(Box::new(error.into()))
            }
        })*
    };
}

of_the_file!(CommitError DatabaseError Error StorageError TableError TransactionError);

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::File(Box::new(redb::Error::Io(error)))
    }
}
