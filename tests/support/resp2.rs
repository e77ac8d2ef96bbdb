//! Servers that speak RESP2 only, as those of some clouds and proxies do: real ones that do not know
//! the commands, and what stands in front of real ones.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower_wx_session::store::RedisStore;

use super::redis::{RedisCluster, RedisServer, store};

/// Arguments of a server that does not know these commands.
pub const RESP2_ONLY: [&str; 12] = [
    "--rename-command",
    "HELLO",
    "",
    "--rename-command",
    "ACL",
    "",
    "--rename-command",
    "RESET",
    "",
    // The test may need it.
    "--rename-command",
    "CLIENT",
    RENAMED_CLIENT,
];
pub const RENAMED_CLIENT: &str = "CLIENT-OF-THE-TEST";

/// The same without the last, which a Sentinel needs for a failover.
pub fn resp2_with_client() -> &'static [&'static str] {
    &RESP2_ONLY[..9]
}

/// A proxy on a port of its own.
pub struct Proxy {
    pub address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Takes `HELLO 3` and grants RESP2, as Kvrocks does by default.
    pub async fn granting_resp2(server: &RedisServer) -> Self {
        let port = server.port;
        Self::start(move |client, _| grant_resp2(client, port)).await
    }

    /// Speaks RESP2 only; whoever subscribes gets to another server than whoever sends commands.
    pub async fn to_two(commands: &RedisServer, subscribers: &RedisServer) -> Self {
        Self::to_ports(vec![commands.port, subscribers.port]).await
    }

    /// Speaks RESP2 only, and stands for a whole Cluster with its one address.
    pub async fn for_all(cluster: &RedisCluster) -> Self {
        Self::to_ports(ports(cluster)).await
    }

    /// The same with RESP3.
    pub async fn for_all_over_resp3(cluster: &RedisCluster) -> Self {
        let mut servers = Servers::new(ports(cluster));
        servers.grants_resp3 = true;
        Self::to(servers).await
    }

    /// Speaks RESP3, says that it is alone, and spreads users over servers that know nothing of each other, by
    /// the first key of what it is asked.
    pub async fn spreading(servers: &[&RedisServer]) -> Self {
        let mut servers = Servers::new(servers.iter().map(|server| server.port).collect());
        (servers.grants_resp3, servers.spreads) = (true, true);
        Self::to(servers).await
    }

    async fn to_ports(ports: Vec<u16>) -> Self {
        Self::to(Servers::new(ports)).await
    }

    async fn to(servers: Servers) -> Self {
        let servers = Arc::new(servers);
        Self::start(move |client, own| serve(client, own, Arc::clone(&servers))).await
    }

    async fn start<F>(serve: impl Fn(TcpStream, u16) -> F + Send + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let _ = client.set_nodelay(true);
                tokio::spawn(serve(client, address.port()));
            }
        });
        Self { address, accepting }
    }

    pub fn store(&self) -> RedisStore {
        store(&format!("redis://{}", self.address))
    }

    pub fn cluster_url(&self) -> String {
        format!("redis+cluster://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn ports(cluster: &RedisCluster) -> Vec<u16> {
    let servers = cluster.servers.iter();
    servers.map(|server| server.port).collect()
}

async fn connect(port: u16) -> std::io::Result<TcpStream> {
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

async fn grant_resp2(mut client: TcpStream, port: u16) -> std::io::Result<()> {
    let mut server = connect(port).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let asking = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let length = from_client.read(&mut bytes).await?;
            if length == 0 {
                return Ok(());
            }
            // It is sent alone, so it is never in two parts.
            let [three, two] = [b"HELLO\r\n$1\r\n3", b"HELLO\r\n$1\r\n2"];
            let asked = replaced(&bytes[..length], three, two);
            to_server.write_all(&asked).await?;
        }
    };
    tokio::select! {
        asked = asking => asked,
        answered = tokio::io::copy(&mut from_server, &mut to_client) => answered.map(drop),
    }
}

/// One client of a proxy that speaks RESP2 only. Its commands are carried out side by side, and
/// answered in their order.
async fn serve(client: TcpStream, own: u16, servers: Arc<Servers>) -> std::io::Result<()> {
    let (from, to) = client.into_split();
    let mut from = BufReader::new(from);
    let (answers, ordered) = mpsc::unbounded_channel();
    let answering = tokio::spawn(answer(to, ordered));
    let mut hello = None;
    loop {
        let command = frame(&mut from).await?;
        if word(&command) == "HELLO" {
            hello = Some(command.clone());
        }
        if word(&command) == "SUBSCRIBE" {
            // It is the last one, and the only one by then.
            drop(answers);
            let to = answering.await.unwrap()?;
            let mut client = from.into_inner().reunite(to).unwrap();
            let mut server = connect(servers.ports[1]).await?;
            if servers.grants_resp3
                && let Some(hello) = hello
            {
                server.write_all(&hello).await?;
                frame(&mut BufReader::with_capacity(1, &mut server)).await?;
            }
            server.write_all(&command).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        let servers = Arc::clone(&servers);
        let answer = tokio::spawn(async move { servers.answer(command, own).await });
        let _ = answers.send(answer);
    }
}

type Answer = JoinHandle<std::io::Result<Vec<u8>>>;

async fn answer(
    mut to: OwnedWriteHalf,
    mut ordered: mpsc::UnboundedReceiver<Answer>,
) -> std::io::Result<OwnedWriteHalf> {
    while let Some(answer) = ordered.recv().await {
        to.write_all(&answer.await.unwrap()?).await?;
    }
    Ok(to)
}

const HELLO: &str = "%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nrole\r\n$6\r\nmaster\r\n";
const HELLO_OF_ONE: &str =
    "%3\r\n$5\r\nproto\r\n:3\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n";
const UNREACHABLE: &str = "-ERR Server connection closed\r\n";

/// What is behind a proxy.
struct Servers {
    /// The first gets what has no key, the second whoever subscribes.
    ports: Vec<u16>,
    /// Connections that nobody uses just now.
    idle: Mutex<HashMap<u16, Vec<BufReader<TcpStream>>>>,
    /// Where keys are, by their hash tag.
    owners: Mutex<HashMap<Vec<u8>, u16>>,
    grants_resp3: bool,
    /// Whether servers have each the keys of some hash tags.
    spreads: bool,
}

impl Servers {
    fn new(ports: Vec<u16>) -> Self {
        Self {
            ports,
            idle: Mutex::default(),
            owners: Mutex::default(),
            grants_resp3: false,
            spreads: false,
        }
    }

    async fn answer(&self, command: Vec<u8>, own: u16) -> std::io::Result<Vec<u8>> {
        match word(&command).as_str() {
            "HELLO" if self.spreads => Ok(HELLO_OF_ONE.into()),
            "HELLO" if self.grants_resp3 => Ok(HELLO.into()),
            refused @ ("HELLO" | "CLIENT" | "ACL" | "RESET") => {
                Ok(format!("-ERR unknown command '{refused}'\r\n").into())
            }
            "CLUSTER" => Ok(self.renamed(self.ask(&command).await?, own)),
            // A master that is dead is no reason to hang up.
            _ => Ok(self
                .ask(&command)
                .await
                .unwrap_or_else(|_| UNREACHABLE.into())),
        }
    }

    /// The answer of whoever has the key.
    async fn ask(&self, command: &[u8]) -> std::io::Result<Vec<u8>> {
        let tag = hash_tag(command);
        let known = self.owners.lock().unwrap().get(tag).copied();
        let first = match self.spreads {
            true => self.ports[spread(hash_tag(first_key(command)), self.ports.len())],
            false => known.unwrap_or(self.ports[0]),
        };
        let answer = self.ask_one(first, command).await?;
        let Some(port) = moved_to(&answer) else {
            return Ok(answer);
        };
        self.owners.lock().unwrap().insert(tag.to_vec(), port);
        self.ask_one(port, command).await
    }

    async fn ask_one(&self, port: u16, command: &[u8]) -> std::io::Result<Vec<u8>> {
        let idle = self.idle.lock().unwrap().entry(port).or_default().pop();
        let mut server = match idle {
            Some(server) => server,
            None => BufReader::new(connect(port).await?),
        };
        server.write_all(command).await?;
        let answer = frame(&mut server).await?;
        self.idle
            .lock()
            .unwrap()
            .entry(port)
            .or_default()
            .push(server);
        Ok(answer)
    }

    /// Names the proxy in the place of all servers.
    fn renamed(&self, slots: Vec<u8>, own: u16) -> Vec<u8> {
        let address = |port: u16| format!("$9\r\n127.0.0.1\r\n:{port}\r\n");
        self.ports.iter().fold(slots, |slots, port| {
            replaced(&slots, address(*port).as_bytes(), address(own).as_bytes())
        })
    }
}

fn spread(tag: &[u8], servers: usize) -> usize {
    tag.iter().map(|byte| usize::from(*byte)).sum::<usize>() % servers
}

/// Of a script behind its text and the number of its keys.
fn first_key(command: &[u8]) -> &[u8] {
    let is_script = word(command).starts_with("EVAL");
    let mut lines = command.split(|byte| *byte == b'\r');
    lines.nth(if is_script { 8 } else { 4 }).unwrap_or_default()
}

fn hash_tag(command: &[u8]) -> &[u8] {
    let mut parts = command.splitn(2, |byte| *byte == b'{');
    let rest = parts.nth(1).unwrap_or_default();
    rest.split(|byte| *byte == b'}').next().unwrap_or_default()
}

fn moved_to(answer: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(answer).ok()?.strip_prefix("-MOVED ")?;
    text.trim_end().rsplit_once(':')?.1.parse().ok()
}

fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(old.len()).position(|part| part == old) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

/// The first word of a command.
fn word(command: &[u8]) -> String {
    let word = command.split(|byte| *byte == b'\n').nth(2);
    let word = String::from_utf8_lossy(word.unwrap_or_default());
    word.trim_end().to_uppercase()
}

/// A command, or an answer, as it came.
async fn frame(from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut values = 1;
    while values > 0 {
        values -= 1;
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&bytes[start..]).into_owned();
        let length = line[1..].trim_end().parse::<i64>().unwrap_or(-1);
        match line.as_bytes()[0] {
            b'*' => values += length.max(0),
            b'%' => values += 2 * length.max(0),
            b'$' if length >= 0 => {
                let text = bytes.len();
                bytes.resize(text + length as usize + 2, 0);
                from.read_exact(&mut bytes[text..]).await?;
            }
            _ => {}
        }
    }
    Ok(bytes)
}
