use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::answer::Answer;
use super::body::FakeBody;
use super::dialect::Dialect;
use super::fault::Fault;
use super::received::Received;
use super::world::World;
use crate::sync::Lock;

const SLOW: Duration = Duration::from_secs(10);

/// Long enough for what came before to be on its way.
const FLUSH: Duration = Duration::from_millis(10);

/// A platform, and all that it knows.
pub(super) type Shared<D> = Arc<Lock<(D, World)>>;

/// Serves until the task is aborted; the connections end with it.
pub(super) async fn run<D: Dialect>(listener: TcpListener, platform: Shared<D>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream, Arc::clone(&platform))); }
                Err(_) => sleep(FLUSH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve<D: Dialect>(stream: TcpStream, platform: Shared<D>) {
    let service = service_fn(|request| answer(&platform, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that goes away, or a fault that breaks the connection, concerns nobody else.
    let _ = connection.await;
}

async fn answer<D: Dialect>(
    platform: &Shared<D>,
    request: Request<Incoming>,
) -> io::Result<Response<FakeBody>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let answer = decide(platform, Request::from_parts(head, body));
    deliver(answer).await
}

fn decide<D: Dialect>(platform: &Shared<D>, request: Request<Bytes>) -> Answer {
    let (dialect, world) = &mut *platform.lock();
    let answer = dialect.answer(&Received::new(&request), world);
    world.receive(request, answer.is_some());
    answer.unwrap_or_else(|| Answer::page(StatusCode::NOT_FOUND, "404 Not Found"))
}

async fn deliver(answer: Answer) -> io::Result<Response<FakeBody>> {
    let body = match answer.fault {
        // hyper closes the connection when the service fails.
        Some(Fault::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::Cut) => FakeBody::half(&answer.body, FLUSH),
        Some(Fault::SlowBody) => FakeBody::half(&answer.body, SLOW),
        Some(Fault::Slow) => {
            sleep(SLOW).await;
            FakeBody::whole(answer.body.clone())
        }
        _ => FakeBody::whole(answer.body.clone()),
    };
    Ok(response(&answer, body))
}

fn response(answer: &Answer, body: FakeBody) -> Response<FakeBody> {
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.mime));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
    response
}
