//! What `FileStore` promises beyond what every store does.

mod conformance;
mod folder;

use self::folder::Folder;
