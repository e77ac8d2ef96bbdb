use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::settings::Settings;
use crate::backend::redis::wire::address::Address;

/// The bytes to and from a server, encrypted or not.
pub(super) type Socket = Box<dyn Bytes>;

pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

pub(super) async fn open(settings: &Settings, address: &Address) -> io::Result<Socket> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.set_nodelay(true)?;
    Ok(match &settings.tls {
        None => Box::new(stream),
        Some(tls) => Box::new(tls.connect(&address.host, stream).await?),
    })
}
