//! A function of AWS Lambda: what a gateway hands it, and takes from it, as JSON.

use std::future::IntoFuture;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use lambda_http::lambda_runtime::LambdaEvent;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, Error, service_fn};
use serde_json::{Value, json};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_wx_session::Session;

use crate::site::Site;
use crate::support::http::Server;

/// What a function sees of a request behind API Gateway's HTTP API.
fn event(head: &http::request::Parts, body: &[u8]) -> Value {
    let mut headers = serde_json::Map::new();
    for name in head.headers.keys() {
        let values = head.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
        headers.insert(name.to_string(), json!(values.join(",")));
    }
    let path = head.uri.path();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "http": { "method": head.method.as_str(), "path": path },
            "stage": "$default",
            "timeEpoch": 0,
        },
        "body": String::from_utf8_lossy(body),
        "isBase64Encoded": false,
    })
}

/// The answer that the gateway makes of a function's.
fn answer(answer: &Value) -> Response {
    let mut response = Response::builder().status(answer["statusCode"].as_u64().unwrap() as u16);
    for (name, value) in answer["headers"].as_object().unwrap() {
        response = response.header(name, value.as_str().unwrap());
    }
    for cookie in answer["cookies"].as_array().unwrap() {
        response = response.header("set-cookie", cookie.as_str().unwrap());
    }
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    response.body(body.into()).unwrap()
}

type Function = BoxCloneSyncService<LambdaEvent<LambdaRequest>, Value, Error>;

async fn invoke(State(mut function): State<Function>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let payload = serde_json::from_value(event(&head, &body)).unwrap();
    let event = LambdaEvent::new(payload, Context::default());
    let given = function.ready().await.unwrap().call(event).await;
    answer(&given.unwrap())
}

pub async fn start(site: Site) -> Server {
    let layer = site.layer.clone();
    let handler = service_fn(move |request: lambda_http::Request| {
        let greeting = site.greet(request.extensions().get::<Session>());
        async { Ok::<_, Error>(http::Response::new(greeting)) }
    });
    let function = Adapter::from(ServiceBuilder::new().layer(layer).service(handler));
    let function = function.map_response(|given| serde_json::to_value(given).unwrap());
    let gateway = Router::new().fallback(invoke).with_state(Function::new(function));
    Server::serving(|listener| axum::serve(listener, gateway).into_future()).await
}
