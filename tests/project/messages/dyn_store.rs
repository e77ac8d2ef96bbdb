use tower_wx_session::Sessions;
use tower_wx_session::store::{MemoryStore, SessionStore};

fn main() {
    let store: Box<dyn SessionStore> = Box::new(MemoryStore::new());
    Sessions::new(store);
}
