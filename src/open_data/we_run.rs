use serde::{Deserialize, Serialize};

use super::watermark::Watermark;

/// The user's steps of the last 30 days, as `wx.getWeRunData` gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WeRun {
    /// One entry for each day.
    pub step_info_list: Vec<StepInfo>,
    /// For which app, and when.
    pub watermark: Watermark,
}

/// The steps of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepInfo {
    /// The day, as seconds since the Unix epoch.
    pub timestamp: u64,
    /// How many steps.
    pub step: u32,
}
