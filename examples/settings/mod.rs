//! The environment of an example server; each variable is listed where it starts.
#![allow(unreachable_pub, reason = "a module of a program")]
#![allow(dead_code, reason = "each program uses its own part")]

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tower_wx_session::Sessions;
use tower_wx_session::response::Preset;
use tower_wx_session::sessions::{OutagePolicy, SessionsBuilder};
use tower_wx_session::store::{AnyStore, MemoryStore};
use tower_wx_session::wechat::WeChat;
use tracing_subscriber::EnvFilter;

mod platform;
pub mod stop;
mod store;

use platform::NAMES;
pub use platform::Platform;

/// What the environment says.
pub struct Settings {
    pub listen: String,
    /// Sessions of this process alone, if there is none.
    store: Option<AnyStore>,
    /// The real WeChat; for none, the fake of the platform stands in.
    wechat: Option<WeChat>,
    platform: &'static str,
    pub idle_timeout: Duration,
    lifetime: Duration,
    outage_policy: OutagePolicy,
    pub refusal: Preset,
}

impl Settings {
    pub fn from_env(listen: &str) -> Result<Self, String> {
        Ok(Self {
            listen: variable("LISTEN")?.unwrap_or_else(|| listen.to_owned()),
            store: store::named(&variable("STORE")?.unwrap_or_else(|| "memory".to_owned()))?,
            wechat: wechat()?,
            platform: platform()?,
            idle_timeout: seconds("IDLE_SECONDS", 2 * 60 * 60)?,
            lifetime: seconds("LIFETIME_SECONDS", 30 * 24 * 60 * 60)?,
            outage_policy: OutagePolicy::ServeKnown(seconds("GRACE_SECONDS", 60)?),
            refusal: refusal()?,
        })
    }

    /// Whether neither the store nor WeChat is a real one.
    pub fn is_alone(&self) -> bool {
        self.store.is_none() && self.wechat.is_none() && self.platform == "wechat"
    }

    /// Where users log in.
    pub async fn platform(&self) -> Result<Platform, String> {
        match &self.wechat {
            Some(_) if self.platform != "wechat" => Err(format!(
                "WX_APPID: names an app of WeChat, and PLATFORM is {}",
                self.platform
            )),
            Some(wechat) => Ok(Platform::real(wechat.clone())),
            None => Platform::fake(self.platform).await,
        }
    }

    pub fn sessions(&self) -> Result<Sessions<AnyStore>, String> {
        let store = self.store.clone();
        let store = store.unwrap_or_else(|| AnyStore::new(MemoryStore::new()));
        let sessions = self.build(Sessions::builder(store))?;
        // Asked now, so that a wrong password is logged now and not with the first login. Not waited for: a node
        // starts without its store, and is ready when that is.
        let asked = sessions.clone();
        tokio::spawn(async move { asked.ready().await });
        Ok(sessions)
    }

    /// Sessions with these settings.
    pub fn build(&self, sessions: SessionsBuilder<AnyStore>) -> Result<Sessions<AnyStore>, String> {
        sessions
            .idle_timeout(self.idle_timeout)
            .lifetime(self.lifetime)
            .outage_policy(self.outage_policy)
            .build()
            .map_err(|error| error.to_string())
    }

    pub async fn listener(&self) -> Result<TcpListener, String> {
        let bound = TcpListener::bind(&self.listen).await;
        bound.map_err(|error| format!("LISTEN={}: {error}", self.listen))
    }
}

fn wechat() -> Result<Option<WeChat>, String> {
    let base = variable("WX_API_BASE")?;
    let wechat = match (variable("WX_APPID")?, variable("WX_SECRET")?) {
        (Some(appid), Some(secret)) => WeChat::new(appid, secret),
        (Some(_), None) => return Err("WX_APPID: needs WX_SECRET beside it".to_owned()),
        (None, Some(_)) => return Err("WX_SECRET: needs WX_APPID beside it".to_owned()),
        (None, None) if base.is_some() => {
            return Err("WX_API_BASE: needs WX_APPID and WX_SECRET beside it".to_owned());
        }
        (None, None) => return Ok(None),
    };
    let Some(base) = base else {
        return Ok(Some(wechat));
    };
    let wechat = wechat.with_base_url(&base);
    wechat
        .map(Some)
        .map_err(|error| format!("WX_API_BASE: {error}"))
}

fn platform() -> Result<&'static str, String> {
    let Some(name) = variable("PLATFORM")? else {
        return Ok("wechat");
    };
    let known = NAMES.into_iter().find(|known| *known == name);
    known.ok_or_else(|| {
        format!(
            "PLATFORM: expected one of {}, not {name:?}",
            NAMES.join(", ")
        )
    })
}

fn seconds(name: &str, default: u64) -> Result<Duration, String> {
    let Some(value) = variable(name)? else {
        return Ok(Duration::from_secs(default));
    };
    match value.parse() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!(
            "{name}: expected a whole number of seconds, at least 1, not {value:?}"
        )),
    }
}

fn refusal() -> Result<Preset, String> {
    let Some(name) = variable("REFUSAL")? else {
        return Ok(Preset::default());
    };
    name.parse().map_err(|error| format!("REFUSAL: {error}"))
}

/// A variable; one that is empty counts as unset. The value stays out of the error: it may be a
/// secret.
fn variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{name}: not valid UTF-8")),
    }
}

/// The end of the process; an error is told in one line.
pub fn exit_code(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Writes events to stderr, in colours where people see them.
pub fn log() -> Result<(), String> {
    let filter = variable("RUST_LOG")?.unwrap_or_else(|| "info".to_owned());
    let filter =
        EnvFilter::try_new(&filter).map_err(|error| format!("RUST_LOG: {error}, in {filter:?}"))?;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(!no_color && io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    Ok(())
}
