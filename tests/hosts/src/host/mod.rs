//! One framework a file: `start` serves `/me`, which takes a session, and `/maybe`, which takes one if
//! there is one. Where the framework is no tower, the guard comes first in its file.

pub mod actix_web;
pub mod axum_0_7;
pub mod axum_0_8;
pub mod lambda_http;
pub mod poem;
pub mod poem_tower;
pub mod rocket;
pub mod salvo;
pub mod volo_http;
pub mod warp;
