use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, RedisConnectionInfo, RedisError,
    RedisResult, Value,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::fault::{Remedy, remedy};
use super::location::{Credentials, Location};
use super::tls::Tls;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::reply::Greeting;
use crate::store::StoreError;

/// The longest that it takes to connect, authentication included.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// Silence upon questions after which a connection is given up.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// What may be written ahead of a server that does not read.
const WRITTEN_AHEAD: usize = 1024 * 1024;

/// How servers are reached.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) location: Location,
    pub(crate) sentinel: Credentials,
    pub(crate) tls: Option<Tls>,
}

impl Settings {
    fn introduction(&self) -> RedisConnectionInfo {
        let info = with_credentials(&self.location.credentials);
        info.set_db(i64::from(self.location.database))
            .set_protocol(ProtocolVersion::RESP3)
    }
}

fn with_credentials(credentials: &Credentials) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default();
    if let Some(user) = &credentials.user {
        info = info.set_username(user);
    }
    if let Some(password) = &credentials.password {
        info = info.set_password(password);
    }
    info
}

/// One connection to a server, which any number of operations use at the same time.
///
/// An operation that is dropped leaves the connection as it is: the answer is read and thrown
/// away. Where answers do not come any more, the connection is given up.
pub(crate) struct Connection {
    address: Address,
    multiplexed: MultiplexedConnection,
    /// Ends when the connection does.
    driver: JoinHandle<()>,
    opened: Instant,
    /// When the first of the questions was asked that nobody waits for any more, while no other
    /// was answered: milliseconds since it was opened, and one.
    silent_since: AtomicU64,
    is_given_up: AtomicBool,
}

impl Connection {
    /// Connects to a server that holds data, and asks it who it is and what time it is.
    pub(crate) async fn open(
        settings: &Settings,
        address: &Address,
        pushed: Option<impl AsyncPushSender>,
    ) -> Result<(Self, Greeting), StoreError> {
        let open = async {
            let connection = Self::connect(settings, address, settings.introduction(), pushed);
            let connection = connection.await?;
            let mut greeting = redis::pipe();
            greeting.cmd("HELLO").cmd("TIME");
            let answers = connection.ask_all(&greeting).await?;
            Ok((connection, Greeting::read(&answers)))
        };
        let (connection, greeting) = in_time(open).await.map_err(StoreError::unavailable)?;
        Ok((connection, greeting?))
    }

    /// Connects to a Sentinel.
    pub(crate) async fn open_sentinel(
        settings: &Settings,
        address: &Address,
    ) -> Result<Self, StoreError> {
        let introduction = with_credentials(&settings.sentinel);
        let nothing: Option<fn(_) -> Result<(), Infallible>> = None;
        let open = Self::connect(settings, address, introduction, nothing);
        in_time(open).await.map_err(StoreError::unavailable)
    }

    async fn connect(
        settings: &Settings,
        address: &Address,
        introduction: RedisConnectionInfo,
        pushed: Option<impl AsyncPushSender>,
    ) -> RedisResult<Self> {
        let mut config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_write_backpressure_boundary(WRITTEN_AHEAD);
        if let Some(pushed) = pushed {
            config = config.set_push_sender(pushed);
        }
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.set_nodelay(true)?;
        let address = address.clone();
        match &settings.tls {
            None => Self::introduce(address, stream, introduction, config).await,
            Some(tls) => {
                let stream = tls.connect(&address.host, stream).await?;
                Self::introduce(address, stream, introduction, config).await
            }
        }
    }

    async fn introduce(
        address: Address,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        introduction: RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> RedisResult<Self> {
        let opened = MultiplexedConnection::new_with_config(&introduction, stream, config);
        let (multiplexed, driver) = opened.await?;
        Ok(Self {
            address,
            multiplexed,
            driver: tokio::spawn(driver),
            opened: Instant::now(),
            silent_since: AtomicU64::new(0),
            is_given_up: AtomicBool::new(false),
        })
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it makes sense to ask anything.
    pub(crate) fn is_usable(&self) -> bool {
        let silent_since = self.silent_since.load(Ordering::Relaxed);
        let is_silent = silent_since != 0
            && self.now().saturating_sub(silent_since) >= SILENT_FOR.as_millis() as u64;
        !is_silent && !self.is_given_up.load(Ordering::Relaxed) && !self.driver.is_finished()
    }

    /// Whether nobody has waited in vain since the last answer.
    pub(crate) fn answers(&self) -> bool {
        self.silent_since.load(Ordering::Relaxed) == 0
    }

    /// Has the next operation look for another connection.
    pub(crate) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn ask(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.multiplexed.clone();
        self.watch(command.query_async(&mut connection)).await
    }

    pub(crate) async fn ask_all(&self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut connection = self.multiplexed.clone();
        self.watch(commands.query_async(&mut connection)).await
    }

    pub(crate) async fn subscribe(&self, channel: &str) -> RedisResult<()> {
        self.multiplexed.clone().subscribe(channel).await
    }

    async fn watch<T>(&self, question: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let mut waiting = Waiting {
            connection: self,
            since: self.now(),
            is_answered: false,
        };
        let answer = question.await;
        waiting.is_answered = true;
        self.silent_since.store(0, Ordering::Relaxed);
        if let Err(error) = &answer
            && remedy(error) == Remedy::Reconnect
        {
            self.give_up();
        }
        answer
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).map_or(u64::MAX, |millis| millis + 1)
    }
}

async fn in_time<T>(open: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match timeout(CONNECT_WITHIN, open).await {
        Ok(opened) => opened,
        Err(late) => Err(RedisError::from(std::io::Error::from(late))),
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Notes that a question was dropped without an answer.
struct Waiting<'a> {
    connection: &'a Connection,
    since: u64,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            let silent_since = &self.connection.silent_since;
            let relaxed = Ordering::Relaxed;
            let _ = silent_since.compare_exchange(0, self.since, relaxed, relaxed);
        }
    }
}
