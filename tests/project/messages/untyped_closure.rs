use bytes::Bytes;
use http::Response;
use tower_wx_session::{SessionLayer, Sessions, store::MemoryStore};

fn main() {
    let _ = SessionLayer::new(Sessions::new(MemoryStore::new()))
        .with_rejection_response(|rejection| Response::new(Bytes::new()));
}
