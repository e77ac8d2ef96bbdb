//! A TCP proxy in front of a server, which makes the network as bad as a test wants it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::server::Server;

/// What the network does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// How much later answers arrive.
    pub latency: Duration,
    /// No connection lives, and none comes about.
    pub is_cut: bool,
    /// What goes to and from connections that have subscribed disappears.
    pub swallows_links: bool,
    /// Whoever is connected when this changes gets a reset.
    pub resets: u32,
}

pub struct Proxy {
    pub address: SocketAddr,
    weather: watch::Sender<Weather>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn before(server: &impl Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, seen) = watch::channel(Weather::default());
        let accepting = tokio::spawn(accept(listener, Route::to(server), seen));
        Self {
            address,
            weather,
            accepting,
        }
    }

    pub fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }

    /// Connections that the weather has ended stay ended.
    pub fn heal(&self) {
        self.change(|weather| {
            *weather = Weather {
                resets: weather.resets,
                ..Weather::default()
            }
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Where connections go, and by which word they are known for a link's.
#[derive(Clone, Copy)]
struct Route {
    server: SocketAddr,
    link: &'static [u8],
}

impl Route {
    fn to(server: &impl Server) -> Self {
        let (server, link) = (server.address(), server.link_word());
        Self { server, link }
    }

    fn is_link(self, bytes: &[u8]) -> bool {
        let mut words = bytes.windows(self.link.len());
        words.any(|word| word.eq_ignore_ascii_case(self.link))
    }
}

async fn accept(listener: TcpListener, route: Route, weather: watch::Receiver<Weather>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        if !weather.borrow().is_cut {
            tokio::spawn(connect(client, route, weather.clone()));
        }
    }
}

async fn connect(mut client: TcpStream, route: Route, weather: watch::Receiver<Weather>) {
    let Ok(mut server) = TcpStream::connect(route.server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let resets = weather.borrow().resets;
    let is_link = AtomicBool::new(false);
    let mut watching = weather.clone();
    let is_reset = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            _ = watching.wait_for(|now| now.is_cut || now.resets != resets) => true,
            () = ask(from_client, to_server, &weather, (route, &is_link)) => false,
            () = answer(from_server, to_client, &weather, &is_link) => false,
        }
    };
    if is_reset {
        let _ = client.set_zero_linger();
    }
}

type Weathers = watch::Receiver<Weather>;

/// Carries what the client asks, and notes whether it subscribes.
async fn ask(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    weather: &Weathers,
    (route, is_link): (Route, &AtomicBool),
) {
    while let Some(bytes) = read(&mut from).await {
        let subscribes = route.is_link(&bytes);
        let is_link = is_link.fetch_or(subscribes, Ordering::Relaxed) || subscribes;
        let is_swallowed = is_link && weather.borrow().swallows_links;
        if !is_swallowed && to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Carries what the server answers, as late as the weather has it and in the same order.
async fn answer(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    weather: &Weathers,
    is_link: &AtomicBool,
) {
    let (sender, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async {
        while let Some(bytes) = read(&mut from).await {
            let now = *weather.borrow();
            let is_swallowed = now.swallows_links && is_link.load(Ordering::Relaxed);
            if !is_swallowed && sender.send((Instant::now() + now.latency, bytes)).is_err() {
                return;
            }
        }
    };
    let writing = async {
        while let Some((at, bytes)) = due.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

async fn read(from: &mut ReadHalf<'_>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 16 * 1024];
    let length = from
        .read(&mut bytes)
        .await
        .ok()
        .filter(|length| *length > 0)?;
    bytes.truncate(length);
    Some(bytes)
}
