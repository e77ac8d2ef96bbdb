use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::api::{Api, Reply};
use super::body::FakeBody;
use super::fault::Fault;
use super::query::Query;
use super::reply;

const SLOW: Duration = Duration::from_secs(10);

/// Long enough for what came before to be on its way.
const FLUSH: Duration = Duration::from_millis(10);

/// Serves until the task is aborted; the connections end with it.
pub(super) async fn run(listener: TcpListener, api: Arc<Api>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream, Arc::clone(&api))); }
                Err(_) => sleep(FLUSH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, api: Arc<Api>) {
    let service = service_fn(|request| answer(&api, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that goes away, or a fault that breaks the connection, concerns nobody else.
    let _ = connection.await;
}

async fn answer(api: &Api, request: Request<Incoming>) -> io::Result<Response<FakeBody>> {
    if request.uri().path() != "/sns/jscode2session" {
        let page = reply::html("404 Not Found");
        let length = page.len();
        return Ok(response(
            StatusCode::NOT_FOUND,
            length,
            FakeBody::whole(page),
        ));
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    deliver(api.exchange(&query)).await
}

async fn deliver(Reply { fault, body }: Reply) -> io::Result<Response<FakeBody>> {
    let length = body.len();
    let (status, body) = match fault {
        // hyper closes the connection when the service fails.
        Some(Fault::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::Cut) => (StatusCode::OK, FakeBody::half(&body, FLUSH)),
        Some(Fault::SlowBody) => (StatusCode::OK, FakeBody::half(&body, SLOW)),
        Some(Fault::Error5xx) => (StatusCode::BAD_GATEWAY, FakeBody::whole(body)),
        Some(Fault::Slow) => {
            sleep(SLOW).await;
            (StatusCode::OK, FakeBody::whole(body))
        }
        _ => (StatusCode::OK, FakeBody::whole(body)),
    };
    Ok(response(status, length, body))
}

fn response(status: StatusCode, length: usize, body: FakeBody) -> Response<FakeBody> {
    let mime = match status {
        StatusCode::OK => "text/plain",
        _ => "text/html",
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
