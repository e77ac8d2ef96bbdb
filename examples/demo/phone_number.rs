use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use tower_wx_session::SessionKey;
use tower_wx_session::test_util::encrypt_open_data;

use super::Stage;

/// What the button `getPhoneNumber` gives.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Encrypted {
    encrypted_data: String,
    iv: String,
}

/// A phone number, encrypted with the key of the user's last login; 404 if there was none.
pub async fn encrypted(
    State(stage): State<Stage>,
    Path(openid): Path<String>,
) -> Result<Json<Encrypted>, StatusCode> {
    let appid = stage.wechat.appid();
    let key = stage.wechat.session_key_of(appid, &openid);
    let key = SessionKey::new(key.ok_or(StatusCode::NOT_FOUND)?);
    let text = json!({
        "phoneNumber": "13580006666",
        "purePhoneNumber": "13580006666",
        "countryCode": "86",
        "watermark": { "appid": appid, "timestamp": stage.demo.clock.now().as_secs() },
    });
    let encrypted = encrypt_open_data(&key, &text.to_string());
    let (encrypted_data, iv) = encrypted.map_err(|_| StatusCode::NOT_FOUND)?;
    Ok(Json(Encrypted { encrypted_data, iv }))
}
