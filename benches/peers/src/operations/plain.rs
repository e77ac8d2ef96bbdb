use std::error::Error;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

use super::PATIENCE;
use super::burst::{Burst, Spent};
use crate::Outcome;
use crate::redis_server::RedisServer;

/// How long a value is kept, in milliseconds: as long as an unused session is by default.
const KEPT: u64 = 8 * 3600 * 1000;

/// What an operation is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Get,
    Set,
}

impl Command {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Set => "SET … PX",
        }
    }
}

/// Plain values, and the one connection over which any number of tasks read and write them.
#[derive(Clone)]
pub(crate) struct Plain {
    connection: MultiplexedConnection,
    /// The bytes of a session's record.
    value: Arc<[u8]>,
}

impl Plain {
    pub(crate) async fn connect(server: &RedisServer) -> RedisResult<Self> {
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let client = Client::open(server.url())?;
        let connected = client.get_multiplexed_async_connection_with_config(&patient);
        Ok(Self {
            connection: connected.await?,
            value: Arc::default(),
        })
    }

    /// Puts the record of a session that is there under so many keys as long as its own.
    pub(crate) async fn fill(&mut self, many: usize) -> Outcome {
        let mut keys = redis::cmd("KEYS");
        keys.arg("wxs:*:s:*");
        let keys: Vec<String> = keys.query_async(&mut self.connection).await?;
        let session = keys.first().ok_or("no session is kept")?;
        assert_eq!(session.len(), key(0).len(), "{session}");
        let mut get = redis::cmd("GET");
        get.arg(session);
        let record: Vec<u8> = get.query_async(&mut self.connection).await?;
        self.value = record.into();
        let filling = Burst {
            in_flight: 8,
            times: many,
        };
        self.spend(Command::Set, filling).await?;
        Ok(())
    }

    /// Sends a command for each of that many keys.
    pub(crate) async fn spend(
        &self,
        command: Command,
        burst: Burst,
    ) -> Result<Spent, Box<dyn Error>> {
        let plain = self.clone();
        let send = move |number| plain.clone().send(command, number);
        Ok(burst.of(send).await?)
    }

    async fn send(self, command: Command, number: usize) {
        let done = match command {
            Command::Get => self.get(number).await,
            Command::Set => self.set(number).await,
        };
        done.expect("the server is up");
    }

    async fn get(mut self, number: usize) -> RedisResult<()> {
        let mut get = redis::cmd("GET");
        get.arg(key(number));
        let got: Vec<u8> = get.query_async(&mut self.connection).await?;
        assert_eq!(*got, *self.value);
        Ok(())
    }

    async fn set(mut self, number: usize) -> RedisResult<()> {
        let mut set = redis::cmd("SET");
        set.arg(key(number)).arg(&*self.value).arg("PX").arg(KEPT);
        set.query_async(&mut self.connection).await
    }
}

/// As long as the key of a session.
fn key(number: usize) -> String {
    format!("wxs:{{{:04x}}}:p:{number:024}", number % 65_536)
}
