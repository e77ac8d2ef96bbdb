use std::collections::HashSet;

use redis::{ErrorKind, RedisError, Value, parse_redis_value_async};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::advice::Stage;
use super::connection::Connection;
use super::destination::{is_elsewhere, is_refusal};
use super::fault::failed;
use super::handshake::authenticate;
use super::settings::Settings;
use super::socket::{self, Socket};
use crate::backend::link::Listener;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::heard::{Heard, heard};
use crate::backend::wire::message;
use crate::store::StoreError;

/// Publishes as the scripts do, at the server that has the key.
const PUBLISH: &str = "return redis.call('PUBLISH', ARGV[1], ARGV[2])";

/// A connection that does nothing but hear what is published, where the one for commands cannot:
/// over RESP2.
///
/// What it hears says nothing of what it does not: the two connections may have come to different
/// servers behind one address, of which one is cut off. So a heartbeat sends a probe the way that
/// changes take, and waits until it is heard here.
pub(super) struct Subscriber {
    /// Reads the connection. The socket and the listener are in it, and end with it.
    reading: JoinHandle<()>,
    notices: mpsc::UnboundedReceiver<Result<Notice, RedisError>>,
    /// Where probes are published, and nothing else is.
    channel: String,
    /// Probes that were sent.
    sent: u64,
    settings: Settings,
}

/// What comes beside the changes, in one order with them.
enum Notice {
    Subscribed,
    Probe(Vec<u8>),
}

type Notices = mpsc::UnboundedSender<Result<Notice, RedisError>>;

impl Subscriber {
    /// Subscribes to the channels of changes and to one for probes.
    pub(super) async fn open(
        settings: &Settings,
        address: &Address,
        changes: &[String],
        channel: String,
        listener: Listener,
    ) -> Result<Self, StoreError> {
        let mut subscribe = redis::cmd("SUBSCRIBE");
        subscribe.arg(changes).arg(&channel);
        let opening = async {
            let mut socket = socket::open(settings, address).await?;
            authenticate(&mut socket, &settings.location.credentials).await?;
            socket.write_all(&subscribe.get_packed_command()).await?;
            socket.flush().await?;
            Ok(socket)
        };
        let failed = |error| failed(error, Stage::Connecting(address), settings);
        let socket = opening.await.map_err(failed)?;
        let (told, notices) = mpsc::unbounded_channel();
        let mut subscriber = Self {
            reading: tokio::spawn(read(socket, channel.clone(), told, listener)),
            settings: settings.clone(),
            notices,
            channel,
            sent: 0,
        };
        for _ in 0..=changes.len() {
            subscriber.notice().await?;
        }
        Ok(subscriber)
    }

    /// Returns when all that was published before is with the listener, of each of the servers that
    /// have these keys.
    ///
    /// A server passes on in the order in which it was published to. The one task that reads here
    /// has passed on every change by the time it tells of a probe that came behind it.
    pub(super) async fn catch_up(
        &mut self,
        publisher: &Connection,
        keys: &[String],
    ) -> Result<(), StoreError> {
        // Numbers that were never used: one that comes late, or twice, stands for no other.
        let first = self.sent + 1;
        self.sent += keys.len() as u64;
        let names: Vec<String> = (first..=self.sent).map(|n| n.to_string()).collect();
        self.publish(publisher, keys, &names).await?;
        let mut awaited: HashSet<Vec<u8>> = names.into_iter().map(String::into_bytes).collect();
        while !awaited.is_empty() {
            if let Notice::Probe(name) = self.notice().await? {
                awaited.remove(&name);
            }
        }
        Ok(())
    }

    async fn publish(
        &self,
        publisher: &Connection,
        keys: &[String],
        names: &[String],
    ) -> Result<(), StoreError> {
        let mut by_script = redis::pipe();
        by_script.ignore_errors();
        for (key, name) in keys.iter().zip(names) {
            let script = by_script.cmd("EVAL").arg(PUBLISH).arg(1);
            script.arg(key).arg(&self.channel).arg(name);
        }
        let answers = publisher.query_all(&by_script).await;
        let answers = answers.map_err(|error| self.failed(error))?;
        let scripts_publish = answers.iter().any(is_published);
        // Where scripts may not publish, commands publish the changes, too; and where the slot has
        // moved away, it is still this server whose messages are to be heard.
        let mut by_command = redis::pipe();
        for (name, answer) in names.iter().zip(answers) {
            let Value::ServerError(error) = answer else {
                continue;
            };
            let error = RedisError::from(error);
            // What scripts may do at one server behind an address they may do at all of them: this
            // one is out of reach, and a command would be published by another.
            if !is_elsewhere(&error) && (scripts_publish || !is_refusal(&error)) {
                return Err(self.failed(error));
            }
            by_command.cmd("PUBLISH").arg(&self.channel).arg(name);
        }
        if !by_command.is_empty() {
            let published = publisher.query_all(&by_command).await;
            published.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn failed(&self, error: RedisError) -> StoreError {
        failed(error, Stage::Anywhere, &self.settings)
    }

    async fn notice(&mut self) -> Result<Notice, StoreError> {
        match self.notices.recv().await {
            Some(notice) => notice.map_err(|error| self.failed(error)),
            // Without a last word its runtime has ended.
            None => Err(StoreError::unavailable("the subscriber has ended")),
        }
    }
}

fn is_published(answer: &Value) -> bool {
    !matches!(answer, Value::ServerError(_))
}

/// Reads until the connection ends, or something comes that makes no sense.
async fn read(mut socket: Socket, channel: String, notices: Notices, listener: Listener) {
    let mut decoder = Default::default();
    let why = loop {
        let value = match parse_redis_value_async(&mut decoder, &mut socket).await {
            Ok(Value::ServerError(refused)) => break RedisError::from(refused),
            Ok(value) => value,
            Err(error) => break error,
        };
        let notice = match heard(&value) {
            Some(Heard::Subscribed) => Notice::Subscribed,
            Some(Heard::Message { channel: of, text }) if of == channel.as_bytes() => {
                Notice::Probe(text.to_vec())
            }
            Some(Heard::Message { text, .. }) => {
                listener.hear(message::decode(text));
                continue;
            }
            None => {
                break (
                    ErrorKind::UnexpectedReturnType,
                    "no message of a subscription",
                )
                    .into();
            }
        };
        // Whoever took notice is gone with the link, and this task is about to end as well.
        let _ = notices.send(Ok(notice));
    };
    let _ = notices.send(Err(why));
    listener.doubt();
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
