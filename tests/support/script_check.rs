//! A host that reads scripts before it runs them, as Alibaba Cloud's proxies do.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What it says of a script that it does not like.
const REFUSAL: &str = "ERR bad lua script for redis cluster, all the keys that the script uses \
    should be passed using the KEYS array, and KEYS should not be in expression";
/// What no script may mention.
const FORBIDDEN: [&str; 3] = ["PUBLISH", "SUBSCRIBE", "UNPACK("];

/// Stands before a server.
pub struct ScriptCheck {
    pub port: u16,
    seen: Arc<Seen>,
    listening: AbortHandle,
}

#[derive(Default)]
struct Seen {
    refused_scripts: AtomicUsize,
    publishes: AtomicUsize,
    refuses_to_publish: AtomicBool,
}

impl ScriptCheck {
    pub async fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let listening = tokio::spawn(listen(listener, server, Arc::clone(&seen)));
        Self {
            port,
            seen,
            listening: listening.abort_handle(),
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Scripts that it did not let through.
    pub fn refused_scripts(&self) -> usize {
        self.seen.refused_scripts.load(Ordering::SeqCst)
    }

    /// Messages that it let through, or was asked to.
    pub fn publishes(&self) -> usize {
        self.seen.publishes.load(Ordering::SeqCst)
    }

    /// Has it let nobody publish at all, or let go of that.
    pub fn refuse_to_publish(&self, refuses: bool) {
        self.seen
            .refuses_to_publish
            .store(refuses, Ordering::SeqCst);
    }
}

impl Drop for ScriptCheck {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, server: u16, seen: Arc<Seen>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
            continue;
        };
        let (mut answers, to_server) = server.into_split();
        let (from_client, mut to_client) = client.into_split();
        tokio::spawn(async move { copy(&mut answers, &mut to_client).await });
        tokio::spawn(pass_on(from_client, to_server, Arc::clone(&seen)));
    }
}

/// Passes commands on. In the place of one that is refused it sends one that fails in that way, so that
/// the answers keep their order.
async fn pass_on(from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Arc<Seen>) -> Result<()> {
    let mut from = BufReader::new(from);
    loop {
        let mut words = command(&mut from).await?;
        if seen.refuses(&words) {
            let fail = format!("return {{ err = '{REFUSAL}' }}");
            words = ["EVAL", &fail, "0"].map(|word| word.into()).to_vec();
        }
        to.write_all(&encoded(&words)).await?;
    }
}

impl Seen {
    fn refuses(&self, words: &[Vec<u8>]) -> bool {
        let text = |at: usize| String::from_utf8_lossy(&words[at]).to_uppercase();
        match text(0).as_str() {
            "PUBLISH" => {
                self.publishes.fetch_add(1, Ordering::SeqCst);
                self.refuses_to_publish.load(Ordering::SeqCst)
            }
            "EVAL" => {
                let is_refused = FORBIDDEN.iter().any(|word| text(1).contains(word));
                self.refused_scripts
                    .fetch_add(usize::from(is_refused), Ordering::SeqCst);
                is_refused
            }
            _ => false,
        }
    }
}

async fn command(from: &mut BufReader<OwnedReadHalf>) -> Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    for _ in 0..number(from, '*').await? {
        let mut word = vec![0; number(from, '$').await? + 2];
        from.read_exact(&mut word).await?;
        word.truncate(word.len() - 2);
        words.push(word);
    }
    Ok(words)
}

async fn number(from: &mut BufReader<OwnedReadHalf>, sign: char) -> Result<usize> {
    let mut line = String::new();
    from.read_line(&mut line).await?;
    let number = line.strip_prefix(sign).map(|rest| rest.trim_end().parse());
    number
        .and_then(|number| number.ok())
        .ok_or_else(|| Error::from(ErrorKind::InvalidData))
}

fn encoded(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
    bytes
}
