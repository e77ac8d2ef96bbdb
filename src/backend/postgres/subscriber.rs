use std::future::poll_fn;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Connection};

use crate::backend::link::Listener;
use crate::backend::wire::message;
use crate::store::StoreError;

/// A server may close sessions that ask nothing (`idle_session_timeout`, since release 14), and a
/// link does not.
const STAY: &str =
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'";

/// A connection that does nothing but hear what is announced.
///
/// Nothing is asked on it: an answer may overtake an announcement that was committed before it, because a
/// server passes those on between two transactions of the session, some time after their commit. Among
/// themselves they keep the order of the commits. So heartbeats send a probe the way that changes
/// take, and wait until it is heard here: that is also how servers are found out that announce elsewhere, and
/// poolers that give the session to somebody else.
pub(super) struct Subscriber {
    /// Reads the connection. The socket and the listener are in it, and end with it.
    reading: JoinHandle<()>,
    client: Client,
    probes: mpsc::UnboundedReceiver<Result<String, StoreError>>,
}

impl Subscriber {
    /// Subscribes to the channel of changes and to one for probes.
    pub(super) async fn open<S, T>(
        (client, connection): (Client, Connection<S, T>),
        changes: &str,
        probes: &str,
        listener: Listener,
    ) -> Result<Self, StoreError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (told, heard) = mpsc::unbounded_channel();
        let reading = read(connection, probes.to_owned(), told, listener);
        let subscriber = Self {
            reading: tokio::spawn(reading),
            client,
            probes: heard,
        };
        let listen = format!("{STAY}; LISTEN \"{changes}\"; LISTEN \"{probes}\"");
        let listening = subscriber.client.batch_execute(&listen).await;
        listening.map_err(StoreError::unavailable)?;
        Ok(subscriber)
    }

    /// Returns when a probe has come, and with it all that was committed before it.
    pub(super) async fn hear(&mut self, probe: &str) -> Result<(), StoreError> {
        loop {
            // Without a last word its runtime has ended.
            let heard = self.probes.recv().await;
            let heard = heard.ok_or_else(|| StoreError::unavailable("the link has ended"))?;
            if heard? == probe {
                return Ok(());
            }
        }
    }

    /// Leaves nothing behind in a session that a pooler may give to somebody else.
    pub(super) async fn close(self) {
        let _ = self.client.batch_execute("UNLISTEN *").await;
    }
}

/// Reads until the connection ends.
///
/// The one task that reads has passed on every change by the time it tells of a probe behind it.
async fn read<S, T>(
    mut connection: Connection<S, T>,
    channel: String,
    probes: mpsc::UnboundedSender<Result<String, StoreError>>,
    listener: Listener,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let why = loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(heard))) if heard.channel() == channel => {
                // Whoever waited for it is gone with the link, and this task is about to end as well.
                let _ = probes.send(Ok(heard.payload().to_owned()));
            }
            Some(Ok(AsyncMessage::Notification(heard))) => {
                listener.hear(message::decode(heard.payload().as_bytes()));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => break StoreError::unavailable(error),
            None => break StoreError::unavailable("the link's connection has ended"),
        }
    };
    let _ = probes.send(Err(why));
    listener.doubt();
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
