use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::rejection::{Action, RejectionKind};

/// The three answers of the layer, by their names in a document.
const RESPONSES: [(&str, StatusCode, &str); 3] = [
    (
        "SessionOver",
        StatusCode::UNAUTHORIZED,
        "There is no live session: call wx.login, then send the request once more.",
    ),
    (
        "AmbiguousToken",
        StatusCode::BAD_REQUEST,
        "The request carries several different session tokens.",
    ),
    (
        "StoreUnavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "Nothing proves the session live or over: wait, then send the request again.",
    ),
];

/// What the layer answers under [`Preset::Json`](super::Preset::Json), as the `components` of an
/// OpenAPI 3 document in JSON: for utoipa, aide, and whatever else writes such documents.
///
/// | kind | names |
/// |---|---|
/// | `responses` | `SessionOver` (401), `AmbiguousToken` (400), `StoreUnavailable` (503) |
/// | `schemas` | `Refusal`: the body of all three |
/// | `securitySchemes` | `session`: `Authorization: Bearer` |
///
/// With utoipa 5 or 6, `serde_json::from_str` makes `utoipa::openapi::Components` of it; with aide,
/// `aide::openapi::Components`.
///
/// ```
/// # fn main() -> Result<(), serde_json::Error> {
/// use tower_wx_session::response::openapi_components;
///
/// let components: serde_json::Value = serde_json::from_str(&openapi_components())?;
/// let over = &components["responses"]["SessionOver"];
/// let example = &over["content"]["application/json"]["examples"]["session_expired"]["value"];
/// assert_eq!(example["action"], "login");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn openapi_components() -> String {
    let responses: Map<_, _> = RESPONSES
        .iter()
        .map(|(name, status, description)| ((*name).to_owned(), response(*status, description)))
        .collect();
    let components = json!({
        "responses": responses,
        "schemas": { "Refusal": refusal() },
        "securitySchemes": { "session": { "type": "http", "scheme": "bearer" } },
    });
    components.to_string()
}

fn response(status: StatusCode, description: &str) -> Value {
    let kinds = of_layer().filter(|kind| kind.status() == status);
    let examples: Map<_, _> = kinds
        .map(|kind| (kind.reason().to_owned(), json!({ "value": body(kind) })))
        .collect();
    let mut headers = json!({ "X-WX-Action": header("The action of the body.") });
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers["Retry-After"] = header("Seconds to wait.");
    } else {
        headers["WWW-Authenticate"] = header("RFC 6750, section 3.");
    }
    let schema = json!({ "$ref": "#/components/schemas/Refusal" });
    json!({
        "description": description,
        "headers": headers,
        "content": { "application/json": { "schema": schema, "examples": examples } },
    })
}

fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

fn refusal() -> Value {
    let reasons: Vec<_> = of_layer().map(RejectionKind::reason).collect();
    let actions = [Action::Login, Action::Retry, Action::None].map(Action::as_str);
    json!({
        "type": "object",
        "required": ["errcode", "errmsg", "reason", "action"],
        "properties": {
            "errcode": { "type": "integer", "description": "The HTTP status." },
            "errmsg": { "type": "string", "description": "A sentence for people." },
            "reason": { "type": "string", "enum": reasons },
            "action": { "type": "string", "enum": actions },
        },
    })
}

/// The kinds that the layer refuses with.
fn of_layer() -> impl Iterator<Item = RejectionKind> {
    let all = RejectionKind::ALL.iter().copied();
    all.filter(|kind| is_of_layer(*kind))
}

const fn is_of_layer(kind: RejectionKind) -> bool {
    match kind {
        RejectionKind::SessionMissing
        | RejectionKind::SessionMalformed
        | RejectionKind::SessionUnknown
        | RejectionKind::SessionIdleExpired
        | RejectionKind::SessionExpired
        | RejectionKind::SessionRevoked
        | RejectionKind::SessionKickedOut
        | RejectionKind::SessionReplaced
        | RejectionKind::SessionKeyExpired
        | RejectionKind::AmbiguousToken
        | RejectionKind::StoreUnavailable => true,
        RejectionKind::CodeRejected
        | RejectionKind::ProviderUnavailable
        | RejectionKind::RateLimited
        | RejectionKind::UserBlocked
        | RejectionKind::ProviderMisconfigured
        | RejectionKind::BadRequest
        | RejectionKind::MethodNotAllowed => false,
    }
}

fn body(kind: RejectionKind) -> Value {
    serde_json::from_str(kind.json()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_the_layer_is_an_example_of_one_response() {
        let components: Value = serde_json::from_str(&openapi_components()).unwrap();
        let mut told = Vec::new();
        for (name, status, _) in RESPONSES {
            let response = &components["responses"][name];
            let examples = &response["content"]["application/json"]["examples"];
            for (reason, example) in examples.as_object().unwrap() {
                assert_eq!(example["value"]["reason"], **reason);
                assert_eq!(example["value"]["errcode"], status.as_u16());
                told.push(reason.clone());
            }
        }
        let reasons = &components["schemas"]["Refusal"]["properties"]["reason"]["enum"];
        let mut reasons: Vec<String> = serde_json::from_value(reasons.clone()).unwrap();
        assert_eq!(reasons.len(), 10);
        told.sort();
        reasons.sort();
        assert_eq!(told, reasons);
    }
}
