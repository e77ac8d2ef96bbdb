use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client};

use super::connection::Wire;
use super::fault::failed;
use crate::backend::link::Listener;
use crate::backend::wire::message;
use crate::store::StoreError;

/// A server may close sessions that ask nothing (`idle_session_timeout`, since release 14), and a
/// link does not.
const STAY: &str =
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'";

/// The longest that a last word takes.
const GIVEN_UP_WITHIN: Duration = Duration::from_millis(100);

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
    pub(super) async fn open(
        (client, wire): (Client, Wire),
        [changes, probes]: [&str; 2],
        listener: Listener,
    ) -> Result<Self, StoreError> {
        let (told, heard) = mpsc::unbounded_channel();
        let subscriber = Self {
            reading: tokio::spawn(read(wire, probes.to_owned(), told, listener)),
            client,
            probes: heard,
        };
        let listen = format!("{STAY}; LISTEN {changes}; LISTEN {probes}");
        let listening = subscriber.client.batch_execute(&listen).await;
        listening.map_err(|error| failed(&error))?;
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

    /// Takes care that nothing stays behind in a session that a pooler gives to somebody else.
    pub(super) async fn give_up(self) {
        let unlisten = self.client.batch_execute("UNLISTEN *");
        let _ = timeout(GIVEN_UP_WITHIN, unlisten).await;
    }
}

/// Reads until the connection ends.
///
/// The one task that reads has passed on every change by the time it tells of a probe behind it.
async fn read(
    mut wire: Wire,
    channel: String,
    probes: mpsc::UnboundedSender<Result<String, StoreError>>,
    listener: Listener,
) {
    let why = loop {
        match poll_fn(|cx| wire.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(heard))) if heard.channel() == channel => {
                // Whoever waited for it is gone with the link, and this task is about to end as well.
                let _ = probes.send(Ok(heard.payload().to_owned()));
            }
            Some(Ok(AsyncMessage::Notification(heard))) => {
                listener.hear(message::decode(heard.payload().as_bytes()));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => break failed(&error),
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
