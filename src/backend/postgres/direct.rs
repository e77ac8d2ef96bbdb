//! Whether a connection leads to one server process, and to nobody in between who gives it to others.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

/// What stays as long as the connection, if it leads to the process that `$1` names.
///
/// Whoever wanted it has given up by the time that a lock is not had any longer, and a client that is gone in
/// the middle of a transaction leaves none for longer than that. What a database has as its default isolation
/// does not matter. Rows are found by their names, a few at a time: a plan that was made while a table was
/// small, and reads all of it, must not be kept until it is large. One plan does for any number of names: left
/// to itself the server thinks it dearer than a plan for one name, and plans each call anew.
const SETTINGS: &str = "SELECT set_config(name, value, false) FROM (VALUES \
        ('default_transaction_isolation', 'read committed'), \
        ('lock_timeout', '1s'), ('idle_in_transaction_session_timeout', '2s'), \
        ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), \
        ('plan_cache_mode', 'force_generic_plan'), ('jit', 'off')) AS ours (name, value) \
    WHERE pg_backend_pid() = $1";

/// Sets a connection up for the statements of this store, if it is known to be nobody else's; whether it is.
///
/// At the beginning of a connection a server says which process it has, so that a statement can be cancelled. A
/// pooler makes a number up instead, as it cannot know yet which process will have which statement.
pub(super) async fn set_up(client: &Client) -> Result<bool, Error> {
    let Some(process) = process_of(client).await else {
        return Ok(false);
    };
    let set = client
        .query_typed(SETTINGS, &[(&process, Type::INT4)])
        .await?;
    Ok(!set.is_empty())
}

/// The process that a cancellation would name. The client says it in no other way.
async fn process_of(client: &Client) -> Option<i32> {
    let (near, mut far) = duplex(64);
    // For a client that asks whether there is encryption.
    far.write_all(b"S").await.ok()?;
    let token = client.cancel_token();
    token.cancel_query_raw(near, Plain).await.ok()?;
    let mut said = Vec::new();
    far.read_to_end(&mut said).await.ok()?;
    // Its length, what it is, the process, and a secret.
    let request = said.last_chunk::<16>()?;
    let process = request[8..12].try_into().ok()?;
    Some(i32::from_be_bytes(process))
}

/// Encrypts nothing: what is written stays here.
struct Plain;

struct PlainStream(DuplexStream);

impl TlsConnect<DuplexStream> for Plain {
    type Stream = PlainStream;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<PlainStream>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        std::future::ready(Ok(PlainStream(stream)))
    }
}

impl TlsStream for PlainStream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, bytes)
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
