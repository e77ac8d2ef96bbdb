//! The end of an example server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tower_wx_session::Sessions;
use tower_wx_session::store::AnyStore;

/// How long requests in flight may hold up the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Resolves when the server is asked to stop.
pub type Asked = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves until it is asked to stop, and then until the requests in flight are answered; not for
/// ever, because a client can stall in the middle of one.
pub async fn serve<F, E>(asked: Asked, server: impl FnOnce(Asked) -> F) -> Result<(), String>
where
    F: Future<Output = Result<(), E>>,
    E: ToString,
{
    let stopping = Arc::new(Notify::new());
    let stop = Arc::clone(&stopping);
    let served = server(Box::pin(async move {
        asked.await;
        stop.notify_one();
    }));
    let out_of_patience = async {
        stopping.notified().await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        served = served => served.map_err(|error| error.to_string()),
        () = out_of_patience => Ok(()),
    }
}

/// Has the store told what it was not told yet.
pub async fn shut_down(sessions: Sessions<AnyStore>) -> Result<(), String> {
    let lost =
        "the session store did not answer before the end: uses or ends of sessions may be lost";
    sessions.shutdown().await.map_err(|_| lost.to_owned())
}

/// Ends with the first SIGTERM or Ctrl-C from now on.
#[cfg(unix)]
pub fn asked() -> io::Result<Asked> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(Box::pin(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }))
}

/// Ends with the first Ctrl-C.
#[cfg(not(unix))]
pub fn asked() -> io::Result<Asked> {
    Ok(Box::pin(async {
        let _ = tokio::signal::ctrl_c().await;
    }))
}
