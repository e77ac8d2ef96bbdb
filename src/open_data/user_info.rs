use serde::{Deserialize, Deserializer, Serialize};

use crate::watermark::Watermark;

/// What `wx.getUserInfo` and `wx.getUserProfile` give.
///
/// Empty and missing texts are `None`. WeChat gives nothing but a stand-in name and picture since 2022.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserInfo {
    /// The user's openid; `wx.getUserProfile` gives none. It [proves nothing](super#what-is-not-proved): take the
    /// session's.
    #[serde(default, deserialize_with = "not_empty")]
    pub open_id: Option<String>,
    /// The user's name across the apps of one Open Platform account. It proves nothing, as above.
    #[serde(default, deserialize_with = "not_empty")]
    pub union_id: Option<String>,
    /// The name that is shown.
    #[serde(default, deserialize_with = "not_empty")]
    pub nick_name: Option<String>,
    /// 0 for not known, 1 for male, 2 for female.
    #[serde(default)]
    pub gender: u8,
    /// The language of country, province and city, such as `zh_CN`.
    #[serde(default, deserialize_with = "not_empty")]
    pub language: Option<String>,
    /// The city.
    #[serde(default, deserialize_with = "not_empty")]
    pub city: Option<String>,
    /// The province.
    #[serde(default, deserialize_with = "not_empty")]
    pub province: Option<String>,
    /// The country.
    #[serde(default, deserialize_with = "not_empty")]
    pub country: Option<String>,
    /// The URL of the user's picture.
    #[serde(default, deserialize_with = "not_empty")]
    pub avatar_url: Option<String>,
    /// For which app, and when.
    pub watermark: Watermark,
}

/// Platforms write an empty text, or null, for none.
pub(super) fn not_empty<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}
