//! Servers that speak RESP2 only, as those of some clouds and proxies do: real ones that do not know
//! the commands, and what stands in front of real ones.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
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
        let servers = cluster.servers.iter();
        Self::to_ports(servers.map(|server| server.port).collect()).await
    }

    async fn to_ports(ports: Vec<u16>) -> Self {
        Self::start(move |client, own| Session::new(ports.clone(), own).serve(client)).await
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

async fn connect(port: u16) -> std::io::Result<TcpStream> {
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

async fn grant_resp2(mut client: TcpStream, port: u16) -> std::io::Result<()> {
    let mut server = connect(port).await?;
    // Nobody says more than this before there is an answer to it.
    let mut hello = vec![0; 1024];
    let length = client.read(&mut hello).await?;
    hello.truncate(length);
    let wanted = b"HELLO\r\n$1\r\n3";
    let at = hello.windows(wanted.len()).position(|part| part == wanted);
    if let Some(at) = at {
        hello[at + wanted.len() - 1] = b'2';
    }
    server.write_all(&hello).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// One client of a proxy that speaks RESP2 only: a command at a time, each to the server that has
/// its key.
struct Session {
    /// The first gets what has no key, the second whoever subscribes.
    ports: Vec<u16>,
    own: u16,
    servers: HashMap<u16, BufReader<TcpStream>>,
}

impl Session {
    fn new(ports: Vec<u16>, own: u16) -> Self {
        Self {
            ports,
            own,
            servers: HashMap::new(),
        }
    }

    async fn serve(mut self, client: TcpStream) -> std::io::Result<()> {
        let mut client = BufReader::new(client);
        loop {
            let command = frame(&mut client).await?;
            match command.word().as_str() {
                refused @ ("HELLO" | "CLIENT" | "ACL" | "RESET") => {
                    let text = format!("-ERR unknown command '{refused}'\r\n");
                    client.write_all(text.as_bytes()).await?;
                }
                "SUBSCRIBE" => {
                    let mut server = connect(self.ports[1]).await?;
                    server.write_all(&command.bytes).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
                    return Ok(());
                }
                _ => {
                    let answer = self.ask(&command.bytes).await?;
                    client.write_all(&answer).await?;
                }
            }
        }
    }

    /// The answer of whoever has the key, with this proxy in the place of all servers.
    async fn ask(&mut self, command: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut answer = self.ask_one(self.ports[0], command).await?;
        if let Some(port) = moved_to(&answer) {
            answer = self.ask_one(port, command).await?;
        }
        let address = |port| format!("$9\r\n127.0.0.1\r\n:{port}\r\n");
        let mut text = answer;
        for port in &self.ports {
            text = replaced(
                &text,
                address(*port).as_bytes(),
                address(self.own).as_bytes(),
            );
        }
        Ok(text)
    }

    async fn ask_one(&mut self, port: u16, command: &[u8]) -> std::io::Result<Vec<u8>> {
        let server = match self.servers.remove(&port) {
            Some(server) => server,
            None => BufReader::new(connect(port).await?),
        };
        let server = self.servers.entry(port).or_insert(server);
        server.write_all(command).await?;
        Ok(frame(server).await?.bytes)
    }
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

/// A command, or an answer, as it came.
struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// The first word of a command.
    fn word(&self) -> String {
        let mut lines = self.bytes.split(|byte| *byte == b'\n').skip(2);
        let word = lines.next().unwrap_or_default();
        String::from_utf8_lossy(word).trim_end().to_uppercase()
    }
}

async fn frame(from: &mut BufReader<TcpStream>) -> std::io::Result<Frame> {
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
            b'$' if length >= 0 => {
                let end = bytes.len() + length as usize + 2;
                let text = bytes.len();
                bytes.resize(end, 0);
                from.read_exact(&mut bytes[text..]).await?;
            }
            _ => {}
        }
    }
    Ok(Frame { bytes })
}
