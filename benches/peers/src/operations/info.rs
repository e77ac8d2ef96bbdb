//! What a server says of itself.

use redis::{Client, InfoDict, RedisResult};

use crate::redis_server::RedisServer;

pub(crate) async fn version(server: &RedisServer) -> RedisResult<String> {
    let info = section(server, "server").await?;
    let of = |name| info.get::<String>(name);
    Ok(match of("valkey_version") {
        Some(version) => format!("Valkey {version}"),
        None => format!("Redis {}", of("redis_version").unwrap_or_default()),
    })
}

/// Bytes in use.
pub(crate) async fn memory(server: &RedisServer) -> RedisResult<usize> {
    let info = section(server, "memory").await?;
    Ok(info.get("used_memory").unwrap_or_default())
}

async fn section(server: &RedisServer, name: &str) -> RedisResult<InfoDict> {
    let client = Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("INFO")
        .arg(name)
        .query_async(&mut connection)
        .await
}
