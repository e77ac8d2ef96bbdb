use std::sync::Arc;

use tower_wx_session::{Sessions, store::MemoryStore};

fn main() {
    Sessions::new(Arc::new(MemoryStore::new()));
}
