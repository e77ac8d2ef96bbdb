//! What is said on a connection before anything else: which protocol, who we are, who the server is.
//!
//! The client's own handshake has one protocol for good, and opens another connection for a server
//! that does not speak it. This one finds out on the connection that is there.

use redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value, cmd, parse_redis_value_async,
};
use tokio::io::AsyncWriteExt;

use super::location::Credentials;
use super::settings::Settings;
use super::socket::Socket;
use crate::backend::redis::wire::greeting::{RoleBy, grants_resp3, is_standalone};

const DEFAULT_USER: &str = "default";
const WRONG_PASSWORD: &str = "WRONGPASS";

/// What a server has agreed to on a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protocol {
    /// RESP3: what is published comes on any connection, and not only on one that does nothing else.
    pub(super) has_pushes: bool,
    pub(super) role_by: RoleBy,
    /// Whether it has said over RESP3 that it has all keys.
    pub(super) is_standalone: bool,
}

impl Protocol {
    /// Where nothing was negotiated.
    pub(super) const RESP2: Self = Self {
        has_pushes: false,
        role_by: RoleBy::Role,
        is_standalone: false,
    };
}

/// Introduces us to a server that holds data, over RESP3 if it speaks that. It answers with its
/// role and its time.
pub(super) async fn greet(
    socket: &mut Socket,
    settings: &Settings,
) -> RedisResult<(Protocol, [Value; 2])> {
    let (credentials, database) = (&settings.location.credentials, settings.location.database);
    match say_hello(socket, credentials).await? {
        Some(hello) => after_hello(socket, hello, database).await,
        None => without_hello(socket, credentials, database).await,
    }
}

/// Introduces us to a server of which nothing is to be known, over RESP2.
pub(super) async fn authenticate(
    socket: &mut Socket,
    credentials: &Credentials,
) -> RedisResult<()> {
    let Some(auth) = auth(credentials) else {
        return Ok(());
    };
    let answers = exchange(socket, redis::pipe().add_command(auth)).await?;
    answers.into_iter().try_for_each(expect_authenticated)
}

/// `None` where HELLO or RESP3 is refused, whatever the reason: what the server says next tells more.
async fn say_hello(socket: &mut Socket, credentials: &Credentials) -> RedisResult<Option<Value>> {
    let mut hello = cmd("HELLO");
    hello.arg(3);
    if let Some(password) = &credentials.password {
        let user = credentials.user.as_deref().unwrap_or(DEFAULT_USER);
        hello.arg("AUTH").arg(user).arg(password);
    }
    let mut answers = exchange(socket, redis::pipe().add_command(hello)).await?;
    match answers.pop() {
        // Not tried again: servers count wrong passwords.
        Some(Value::ServerError(error)) if error.code() == WRONG_PASSWORD => Err(error.into()),
        // The text is not kept: servers repeat the words that they do not understand, and one of
        // them is the password.
        Some(Value::ServerError(_)) => Ok(None),
        answer => Ok(answer),
    }
}

async fn after_hello(
    socket: &mut Socket,
    hello: Value,
    database: u32,
) -> RedisResult<(Protocol, [Value; 2])> {
    let protocol = Protocol {
        has_pushes: grants_resp3(&hello),
        role_by: RoleBy::Hello,
        is_standalone: grants_resp3(&hello) && is_standalone(&hello),
    };
    let mut commands = redis::pipe();
    select(&mut commands, database);
    commands.cmd("TIME");
    let mut answers = exchange(socket, &commands).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil).extract_error();
    if database != 0 {
        next()?;
    }
    Ok((protocol, [hello, next()?]))
}

async fn without_hello(
    socket: &mut Socket,
    credentials: &Credentials,
    database: u32,
) -> RedisResult<(Protocol, [Value; 2])> {
    let auth = auth(credentials);
    let authenticates = auth.is_some();
    let mut commands = redis::pipe();
    if let Some(auth) = auth {
        commands.add_command(auth);
    }
    select(&mut commands, database);
    // Both at once, because the one or the other may be forbidden.
    add_words(&mut commands, RoleBy::Role.words());
    add_words(&mut commands, RoleBy::Info.words());
    commands.cmd("TIME");
    let mut answers = exchange(socket, &commands).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    if authenticates {
        expect_authenticated(next())?;
    }
    if database != 0 {
        next().extract_error()?;
    }
    let (role_by, role) = match (next(), next()) {
        (Value::ServerError(_), info) => (RoleBy::Info, info.extract_error()?),
        (role, _) => (RoleBy::Role, role),
    };
    let protocol = Protocol {
        has_pushes: false,
        role_by,
        is_standalone: false,
    };
    Ok((protocol, [role, next().extract_error()?]))
}

/// Servers without users know the password alone, and so does everybody else for this user.
fn auth(credentials: &Credentials) -> Option<Cmd> {
    let password = credentials.password.as_ref()?;
    let mut auth = cmd("AUTH");
    if let Some(user) = credentials
        .user
        .as_deref()
        .filter(|user| *user != DEFAULT_USER)
    {
        auth.arg(user);
    }
    auth.arg(password);
    Some(auth)
}

/// The text is kept only where it cannot repeat what was sent.
fn expect_authenticated(answer: Value) -> RedisResult<()> {
    match answer {
        Value::ServerError(error) if error.code() == WRONG_PASSWORD => Err(error.into()),
        Value::ServerError(error) => Err(RedisError::from((
            ErrorKind::AuthenticationFailed,
            "the server does not take user and password",
            error.code().to_owned(),
        ))),
        _ => Ok(()),
    }
}

fn select(commands: &mut Pipeline, database: u32) {
    if database != 0 {
        commands.cmd("SELECT").arg(database);
    }
}

pub(super) fn add_words(commands: &mut Pipeline, words: &[&str]) {
    let (name, arguments) = words.split_first().unwrap_or((&"", &[]));
    commands.cmd(name).arg(arguments);
}

/// Sends commands, and waits for an answer to each.
async fn exchange(socket: &mut Socket, commands: &Pipeline) -> RedisResult<Vec<Value>> {
    socket.write_all(&commands.get_packed_pipeline()).await?;
    socket.flush().await?;
    // It may read ahead, but there is nothing behind the last answer: nobody has asked for more.
    let mut decoder = Default::default();
    let mut answers = Vec::with_capacity(commands.len());
    while answers.len() < commands.len() {
        answers.push(parse_redis_value_async(&mut decoder, socket).await?);
    }
    Ok(answers)
}
