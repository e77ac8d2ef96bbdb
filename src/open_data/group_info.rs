use serde::{Deserialize, Serialize};

use super::user_info::not_empty;
use super::watermark::Watermark;

/// The chat that a mini program was opened from.
///
/// `wx.getShareInfo` gives `openGId`; `wx.getGroupEnterInfo` and `wx.getChatToolInfo` give `opengid` and the rest.
/// Empty and missing texts are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupInfo {
    /// The group, under a name that holds within this mini program.
    #[serde(default, deserialize_with = "not_empty", alias = "openGId")]
    pub opengid: Option<String>,
    /// The chat of two, where it is one.
    #[serde(default, deserialize_with = "not_empty")]
    pub open_single_roomid: Option<String>,
    /// The user within this chat, if the client asked for it.
    #[serde(default, deserialize_with = "not_empty")]
    pub group_openid: Option<String>,
    /// WeChat's number for the kind of chat, such as 1 for a chat of two and 3 for a group.
    #[serde(default)]
    pub chat_type: Option<u32>,
    /// For which app, and when.
    pub watermark: Watermark,
}
