//! What `FileStore` promises beyond what every store does.

mod child;
mod conformance;
mod contents;
mod crash;
mod damage;
mod failed_sync;
mod folder;
mod full_disk;
mod opening;
mod removed;
mod restart;
mod size;

use self::folder::Folder;
