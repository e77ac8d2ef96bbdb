//! What a page in a real browser tells the test.

use std::time::Duration;

use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// The longest that the browser takes to start and to run a page, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The end of a page that has put all it has to say into `told`.
const TELL: &str = "await fetch('/told', {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(told),
})";

pub struct Told(UnboundedReceiver<Value>);

impl Told {
    pub async fn heard(mut self) -> Value {
        let told = timeout(PATIENCE, self.0.recv()).await;
        told.expect("the browser tells nothing").unwrap()
    }
}

/// A page at `/` that runs `script`, and what is in its `told` at the end.
pub fn page(script: &str) -> (Router, Told) {
    let (tell, told) = unbounded_channel();
    let page = Html(format!("<script type=module>\n{script}\n{TELL}\n</script>"));
    let hear = async move |Json(said): Json<Value>| tell.send(said).unwrap();
    let page = Router::new()
        .route("/", get(page))
        .route("/told", post(hear));
    (page, Told(told))
}
