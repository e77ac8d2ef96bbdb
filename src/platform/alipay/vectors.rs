//! What published SDKs agree on: see the file.

use serde_json::Value;

pub(super) fn vectors() -> Value {
    let text = include_str!("../../../tests/platforms/vectors.json");
    serde_json::from_str::<Value>(text).unwrap()["alipay"].take()
}
