use std::fmt;

use bytes::Buf;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use http_body::Body;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::credentials::Credentials;
use crate::drain::Unread;
use crate::rejection::RejectionKind;
use crate::token::{self, Found, SessionId, TokenSource, find};

/// Bytes of a body that is read at all; a real one has about 100.
const BODY_LIMIT: usize = 4096;
const APPID: &str = "x-wx-appid";
const CODE: &str = "x-wx-code";

/// The JSON body of a login. Without a code it is a bad request, unless the gateway names the user.
#[derive(Default, Deserialize)]
struct Form {
    #[serde(default)]
    code: String,
    #[serde(default)]
    appid: Option<String>,
    #[serde(default)]
    platform: Option<String>,
}

/// Reads a request: a POST with a JSON body, or a GET as Wafer clients send it.
pub(super) async fn read<B: Body>(
    head: &Parts,
    body: &mut Unread<B>,
    serves_wafer: bool,
) -> Result<Credentials, RejectionKind> {
    let appid = header(&head.headers, APPID)?;
    let form = match head.method {
        Method::POST => Form::from_body(body).await?,
        Method::GET if serves_wafer => Form {
            code: header(&head.headers, CODE)?.ok_or(RejectionKind::BadRequest)?,
            ..Form::default()
        },
        _ => return Err(RejectionKind::MethodNotAllowed),
    };
    form.into_credentials(appid.as_deref())
}

impl Form {
    async fn from_body<B: Body>(body: &mut Unread<B>) -> Result<Self, RejectionKind> {
        let bytes = read_body(body).await.ok_or(RejectionKind::BadRequest)?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let form = json.deserialize_map(Fields);
        let form = form.and_then(|form| json.end().map(|()| form));
        form.map_err(|_| RejectionKind::BadRequest)
    }

    /// The body and the header have to agree where both name an app. Within a platform that the body
    /// names, either may have it before the appid, or instead of one.
    fn into_credentials(self, header: Option<&str>) -> Result<Credentials, RejectionKind> {
        let platform = self.platform.filter(|platform| !platform.is_empty());
        let body = app_within(platform.as_deref(), self.appid.as_deref());
        let header = app_within(platform.as_deref(), header);
        let appid = match (body, header) {
            (Some(body), Some(header)) if body != header => return Err(RejectionKind::BadRequest),
            (body, header) => body.or(header).map(ToOwned::to_owned),
        };
        let credentials = Credentials::new(self.code);
        Ok(Credentials {
            appid,
            platform,
            ..credentials
        })
    }
}

/// What is left of an appid without its platform; an empty one counts as absent.
fn app_within<'a>(platform: Option<&str>, appid: Option<&'a str>) -> Option<&'a str> {
    let appid = appid?;
    let app = match platform.and_then(|platform| appid.strip_prefix(platform)) {
        Some("") => "",
        Some(rest) => rest.strip_prefix(':').unwrap_or(appid),
        None => appid,
    };
    (!app.is_empty()).then_some(app)
}

/// Takes an object only; a derived `Deserialize` would take an array of the fields, too.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Form;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Form, A::Error> {
        Form::deserialize(MapAccessDeserializer::new(fields))
    }
}

/// Marks the secrets of a login as sensitive: a closure that makes the refusal sees the head.
pub(super) fn hide(head: &mut Parts) {
    const SECRETS: [TokenSource; 7] = [
        TokenSource::bearer(),
        TokenSource::skey(),
        TokenSource::header(HeaderName::from_static(CODE)),
        TokenSource::header(HeaderName::from_static("x-wx-encrypted-data")),
        TokenSource::header(HeaderName::from_static("x-wx-iv")),
        TokenSource::header(HeaderName::from_static("x-wx-cloudbase-access-token")),
        TokenSource::header(HeaderName::from_static("x-wx-from-cloudbase-access-token")),
    ];
    token::hide(&SECRETS, head);
}

async fn read_body<B: Body>(body: &mut Unread<B>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.ok()?.into_data() else {
            continue;
        };
        if bytes.len() + data.remaining() > BODY_LIMIT {
            return None;
        }
        bytes.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    Some(bytes)
}

/// The value of a header, which has to be text, and the same where it comes twice; an empty one
/// counts as absent.
fn header(headers: &HeaderMap, name: &str) -> Result<Option<String>, RejectionKind> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.any(|other| Some(other) != value) {
        return Err(RejectionKind::BadRequest);
    }
    let text = value.map(|value| value.to_str()).transpose();
    let text = text.map_err(|_| RejectionKind::BadRequest)?;
    Ok(text.filter(|text| !text.is_empty()).map(ToOwned::to_owned))
}

/// The session that a client still has a token of; a login goes on without one.
pub(super) fn presented(head: &Parts) -> Option<SessionId> {
    const SOURCES: [TokenSource; 2] = [TokenSource::bearer(), TokenSource::skey()];
    match find(&SOURCES, head) {
        Found::One(text) => text.parse().map(|token| token.id()),
        Found::Nothing | Found::Several => None,
    }
}
