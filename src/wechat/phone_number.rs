use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::provider::WeChat;
use crate::identity::Identity;
use crate::platform::api::Call;

/// The phone number that a user gave by the button `getPhoneNumber`. Its `Debug` hides the number.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PhoneNumber {
    /// The number; one from abroad has its country code in front.
    pub phone_number: String,
    /// The number without a country code.
    pub pure_phone_number: String,
    /// The country code, such as `86`.
    #[serde(deserialize_with = "text_or_number")]
    pub country_code: String,
    /// For which app, and when the user gave it.
    pub watermark: Watermark,
}

/// For which app WeChat has given data, and when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Watermark {
    /// The mini program.
    pub appid: String,
    /// In seconds since the Unix epoch.
    pub timestamp: u64,
}

impl WeChat {
    /// `getPhoneNumber`: the phone number for the code that the button `getPhoneNumber` gave.
    ///
    /// It is a code of its own, not that of `wx.login`, and is good once and for five minutes. It is
    /// sent once; only if WeChat refuses the access_token, before it has looked at the code, again.
    ///
    /// # Errors
    ///
    /// [`CodeRejected`](super::ApiErrorKind::CodeRejected) if the user has to tap the button again;
    /// after [`Unavailable`](super::ApiErrorKind::Unavailable), too, because the code may be spent.
    pub async fn phone_number(&self, appid: &str, code: &str) -> Result<PhoneNumber, ApiError> {
        self.phone_number_for(appid, code, &json!({ "code": code }))
            .await
    }

    /// The same, and tells WeChat whose number it is to be: its document lists `openid` as optional,
    /// and does not say what it does.
    ///
    /// # Errors
    ///
    /// As [`phone_number`](Self::phone_number).
    pub async fn phone_number_of(
        &self,
        user: &Identity,
        code: &str,
    ) -> Result<PhoneNumber, ApiError> {
        let body = json!({ "code": code, "openid": user.openid() });
        self.phone_number_for(user.appid(), code, &body).await
    }

    async fn phone_number_for(
        &self,
        appid: &str,
        code: &str,
        body: &Value,
    ) -> Result<PhoneNumber, ApiError> {
        let call = |token: &str| {
            Call::post("/wxa/business/getuserphonenumber")
                .query(&[("access_token", token)])
                .json(body)
        };
        let fields = self.server.call(appid, &[code], call).await?;
        let phone = fields.read("phone_info", "no phone_info");
        phone.map_err(|failure| ApiError::failed(failure, &[]))
    }
}

/// WeChat's documents show the country code in both forms.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Code {
        Text(String),
        Number(u32),
    }
    Ok(match Code::deserialize(deserializer)? {
        Code::Text(text) => text,
        Code::Number(number) => number.to_string(),
    })
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneNumber")
            .field("country_code", &self.country_code)
            .field("watermark", &self.watermark)
            .finish_non_exhaustive()
    }
}
