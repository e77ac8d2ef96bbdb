use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, PushInfo, RedisConnectionInfo,
    RedisError, RedisResult, Value,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::advice::Stage;
use super::fault::{Remedy, failed, remedy};
use super::handshake::{Protocol, authenticate, greet};
use super::settings::Settings;
use super::silence::Silence;
use super::socket::{self, Socket};
use super::together::Together;
use crate::backend::redis::scripts::Publisher;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::greeting::Greeting;
use crate::store::StoreError;
use crate::sync::Lock;

/// The longest that it takes to connect, authentication included.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// What may be written ahead of a server that does not read.
const WRITTEN_AHEAD: usize = 1024 * 1024;

/// For connections on which nothing is subscribed to.
pub(super) const NO_PUSHES: Option<fn(PushInfo) -> Result<(), Infallible>> = None;

/// One connection to a server, which any number of operations use at the same time.
///
/// An operation that is dropped leaves the connection as it is: the answer is read and thrown
/// away. Where answers do not come any more, the connection is given up.
pub(crate) struct Connection {
    address: Address,
    protocol: Protocol,
    multiplexed: MultiplexedConnection,
    /// Reads and writes the socket; ends when the connection does.
    driver: JoinHandle<()>,
    silence: Silence,
    /// Relaxed: it goes from false to true once, and nothing else is published through it. Who still
    /// reads false sends one more command here, and finds out from the answer.
    is_given_up: AtomicBool,
    /// Who publishes what scripts change here, once it was tried.
    publisher: Lock<Option<Publisher>>,
    together: Together,
}

impl Connection {
    /// Connects to a server that holds data, and reads its role and its time. What it publishes is
    /// `pushed` here if the server speaks RESP3, and not otherwise.
    pub(crate) async fn open(
        settings: &Settings,
        address: &Address,
        pushed: Option<impl AsyncPushSender>,
    ) -> Result<(Self, Greeting), StoreError> {
        // Cut off in the middle, it leaves nothing behind: what was opened is dropped with it.
        let open = async {
            let mut socket = socket::open(settings, address).await?;
            let (protocol, answers) = greet(&mut socket, settings).await?;
            let pushed = pushed.filter(|_| protocol.has_pushes);
            let connection = Self::over(socket, address, protocol, pushed).await?;
            Ok((connection, answers))
        };
        let failed = |error| failed(error, Stage::Connecting(address), settings);
        let (connection, answers) = in_time(open).await.map_err(failed)?;
        let greeting = Greeting::read(connection.protocol.role_by, &answers)?;
        Ok((connection, greeting))
    }

    /// Connects to a Sentinel.
    pub(crate) async fn open_sentinel(
        settings: &Settings,
        address: &Address,
    ) -> Result<Self, StoreError> {
        let open = async {
            let mut socket = socket::open(settings, address).await?;
            authenticate(&mut socket, &settings.sentinel).await?;
            Self::over(socket, address, Protocol::RESP2, NO_PUSHES).await
        };
        let failed = |error| failed(error, Stage::ConnectingToSentinel(address), settings);
        in_time(open).await.map_err(failed)
    }

    async fn over(
        socket: Socket,
        address: &Address,
        protocol: Protocol,
        pushed: Option<impl AsyncPushSender>,
    ) -> RedisResult<Self> {
        // No deadline here: an operation has its caller's, and a second one in the client would cut a
        // call off that its caller still waits for.
        let mut config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_write_backpressure_boundary(WRITTEN_AHEAD);
        // All is said, and the client is to add nothing: as it is told here, it sends nothing. Only
        // where it is to listen it insists on a HELLO of its own, which changes nothing any more.
        let mut introduction = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(pushed) = pushed {
            introduction = introduction.set_protocol(ProtocolVersion::RESP3);
            config = config.set_push_sender(pushed);
        }
        let opened = MultiplexedConnection::new_with_config(&introduction, socket, config);
        let (multiplexed, driver) = opened.await?;
        Ok(Self {
            address: address.clone(),
            protocol,
            multiplexed,
            driver: tokio::spawn(driver),
            silence: Silence::new(),
            is_given_up: AtomicBool::new(false),
            publisher: Lock::default(),
            together: Together::new(),
        })
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    pub(super) const fn publisher(&self) -> &Lock<Option<Publisher>> {
        &self.publisher
    }

    pub(crate) const fn together(&self) -> &Together {
        &self.together
    }

    /// Whether one script may write the keys of several users. A proxy may bring it to the server of the first
    /// key, and that one would keep the others' keys, too: so the server has to say that it is alone.
    pub(crate) fn takes_logins_together(&self) -> bool {
        self.is_usable() && self.protocol.is_standalone && self.together.takes_logins()
    }

    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether it makes sense to send anything.
    ///
    /// That the driver has ended is the surest sign, and comes at once when the server closes the
    /// connection. A server that is cut off closes nothing: there the silence is the only sign.
    pub(super) fn is_usable(&self) -> bool {
        !self.silence.is_too_long()
            && !self.is_given_up.load(Ordering::Relaxed)
            && !self.driver.is_finished()
    }

    /// Whether nobody has waited in vain since the last answer.
    pub(super) fn answers(&self) -> bool {
        self.silence.is_over()
    }

    /// Has the next operation look for another connection. Those that wait for an answer go on
    /// waiting: it may come.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    pub(super) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.multiplexed.clone();
        self.watch(command.query_async(&mut connection)).await
    }

    pub(super) async fn query_all(&self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut connection = self.multiplexed.clone();
        self.watch(commands.query_async(&mut connection)).await
    }

    /// The same, where a command that fails does so by itself.
    pub(super) async fn query_each(
        &self,
        commands: &Pipeline,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        let mut connection = self.multiplexed.clone();
        self.watch(commands.query_async(&mut connection)).await
    }

    pub(super) async fn subscribe(&self, channels: &[String]) -> RedisResult<()> {
        self.multiplexed.clone().subscribe(channels).await
    }

    /// Notes whether there is an answer, and whether it calls for another connection.
    ///
    /// Callers drop this at their deadline, at the `await`: what `waiting` does then is all that is
    /// ever noted of such a command.
    async fn watch<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let waiting = self.silence.wait();
        let answer = answer.await;
        waiting.answered();
        // After the answer is noted: an error that came back is an answer all the same, and what it
        // says of the connection is another matter than silence.
        if let Err(error) = &answer
            && remedy(error) == Remedy::Reconnect
        {
            self.give_up();
        }
        answer
    }
}

/// Fails if it takes longer than connecting may.
async fn in_time<T>(open: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match timeout(CONNECT_WITHIN, open).await {
        Ok(opened) => opened,
        Err(late) => Err(RedisError::from(std::io::Error::from(late))),
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The driver ends by itself once all is written, which to a server that reads no more may be
        // never: the task and its socket would stay. So would a link's end of the feed, which the
        // driver holds to pass on what the server publishes.
        self.driver.abort();
    }
}
