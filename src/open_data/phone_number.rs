use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::watermark::Watermark;

/// The phone number that the button `getPhoneNumber` gives. Its `Debug` hides the number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
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
