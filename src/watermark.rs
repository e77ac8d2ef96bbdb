use serde::{Deserialize, Serialize};

/// A platform's mark on a user's data: for which app, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Watermark {
    /// The mini program that the data is for.
    pub appid: String,
    /// When the platform made it, in seconds since the Unix epoch.
    pub timestamp: u64,
}
