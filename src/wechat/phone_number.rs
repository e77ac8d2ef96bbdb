use serde_json::{Value, json};

use super::api_error::ApiError;
use super::provider::WeChat;
use crate::identity::Identity;
use crate::phone_number::PhoneNumber;
use crate::platform::api::Call;

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
        let phone = fields.read("phone_info");
        phone.map_err(|failure| ApiError::failed(failure, &[]))
    }
}
