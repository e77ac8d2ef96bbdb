use std::future::{Future, poll_fn};
use std::pin::pin;

use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::connecting_failed;
use super::server::Server;
use super::settings::Settings;
use crate::store::StoreError;

/// The half of a connection that reads and writes: it has to be polled for anything to happen.
pub(super) type Wire =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// A parameter of a statement, and its type.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Connects to a server. Both halves have to be there for the connection to live.
pub(super) async fn open(
    settings: &Settings,
    server: &Server,
) -> Result<(Client, Wire), StoreError> {
    let connecting = server.config.connect(settings.tls.clone()).await;
    connecting.map_err(|error| connecting_failed(&error, server))
}

/// Drives a connection until it is lost, or until its client is dropped and every answer has come.
pub(super) async fn drive(mut wire: Wire) {
    // What the server says unasked matters to links only. Whoever waits for an answer learns what
    // has ended the connection.
    while let Some(Ok(_)) = poll_fn(|context| wire.poll_message(context)).await {}
}

/// Drives a connection until an answer is there.
pub(super) async fn drive_until<T>(wire: &mut Wire, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    loop {
        let message = tokio::select! {
            answer = &mut answer => return answer,
            message = poll_fn(|context| wire.poll_message(context)) => message,
        };
        if !matches!(message, Some(Ok(_))) {
            // It is lost, and the answer says so.
            return answer.await;
        }
    }
}
