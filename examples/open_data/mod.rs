//! What the platform knows of a user beyond the login.
//!
//! | Request | What it does |
//! |---|---|
//! | `POST /decrypt` `{"encryptedData":"…","iv":"…"}` | what the client's platform has encrypted, as JSON |
//! | `POST /phone` `{"code":"…"}` | the phone number for a code of the button `getPhoneNumber`; WeChat only |
//! | `GET /session_key/check` | whether the platform still takes the user's session_key: `valid`, `over` or `cannot_tell` (WeChat only), `none` where none is kept |
#![allow(unreachable_pub, reason = "a module of a program")]

use axum::body::Bytes;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_wx_session::login::{ExchangeError, SessionKeyCheck, Validity};
use tower_wx_session::open_data::OpenDataError;
use tower_wx_session::store::AnyStore;
use tower_wx_session::wechat::{ApiError, ApiErrorKind, PhoneNumber, WeChat};
use tower_wx_session::{Rejection, Session, Sessions};

#[derive(Clone)]
struct Platform {
    sessions: Sessions<AnyStore>,
    /// Where the platform is WeChat.
    wechat: Option<WeChat>,
}

impl FromRef<Platform> for Sessions<AnyStore> {
    fn from_ref(platform: &Platform) -> Self {
        platform.sessions.clone()
    }
}

/// Routes that belong behind the layer.
pub fn routes<S: Clone + Send + Sync + 'static>(
    sessions: Sessions<AnyStore>,
    wechat: Option<WeChat>,
) -> Router<S> {
    Router::new()
        .route("/decrypt", post(decrypt))
        .route("/phone", post(phone))
        .route("/session_key/check", get(check_session_key))
        .with_state(Platform { sessions, wechat })
}

/// Why one of these requests has no answer.
enum Refusal {
    /// The client's request, in one word and a sentence.
    Bad(&'static str, &'static str),
    OpenData(OpenDataError),
    Rejected(Rejection),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Encrypted {
    encrypted_data: String,
    iv: String,
}

async fn decrypt(
    State(sessions): State<Sessions<AnyStore>>,
    session: Session,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let sent: Encrypted = read(&body)?;
    let data = sessions.open_data(&session).await?;
    Ok(Json(data.decrypt(&sent.encrypted_data, &sent.iv)?))
}

#[derive(Deserialize)]
struct PhoneCode {
    code: String,
}

async fn phone(
    State(platform): State<Platform>,
    session: Session,
    body: Bytes,
) -> Result<Json<PhoneNumber>, Refusal> {
    let sent: PhoneCode = read(&body)?;
    let wechat = platform.wechat.ok_or(NOT_HERE)?;
    let phone = wechat.phone_number(session.appid(), &sent.code).await;
    Ok(Json(phone?))
}

async fn check_session_key(
    State(platform): State<Platform>,
    session: Session,
) -> Result<Json<Value>, Refusal> {
    let user = session.identity();
    let keys = platform.sessions.session_key(user).await;
    let keys = keys.map_err(OpenDataError::from)?;
    let validity = match (keys.newest(), platform.wechat) {
        (None, _) => "none",
        (Some(_), None) => return Err(NOT_HERE),
        (Some(key), Some(wechat)) => match wechat.check_session_key(user, key).await {
            Validity::Valid => "valid",
            Validity::Over => "over",
            _ => "cannot_tell",
        },
    };
    Ok(Json(json!({ "session_key": validity })))
}

const NOT_HERE: Refusal = Refusal::Bad("not_supported", "this platform has no such API here");

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let refused = Refusal::Bad(
        "bad_request",
        "the body is not the JSON that is wanted here",
    );
    serde_json::from_slice(body).map_err(|_| refused)
}

impl From<OpenDataError> for Refusal {
    fn from(error: OpenDataError) -> Self {
        Self::OpenData(error)
    }
}

/// A code of the button is no code of a login: a new one comes from the button, not from `wx.login`.
impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        match error.kind() {
            ApiErrorKind::CodeRejected | ApiErrorKind::BadRequest => Self::Bad(
                "code_rejected",
                "not a code of the button, or used: tap it again",
            ),
            _ => Self::Rejected(ExchangeError::from(error).into()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Bad(reason, message) => {
                let status = StatusCode::BAD_REQUEST;
                let body = json!({
                    "errcode": status.as_u16(), "errmsg": message, "reason": reason, "action": "none",
                });
                (status, Json(body)).into_response()
            }
            Self::OpenData(error) => error.into_response(),
            Self::Rejected(rejection) => rejection.into_response(),
        }
    }
}
