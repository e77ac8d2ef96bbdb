use std::fmt;

use bytes::Buf;
use http::{Method, Request};
use http_body::Body;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::layer::{Found, TokenSource};
use crate::token::Token;
use crate::{RejectionKind, SessionId};

/// Bytes of a body that is read at all; a real one has about 100.
const BODY_LIMIT: usize = 4096;
/// Bytes of a code; WeChat's have 32.
const CODE_LIMIT: usize = 512;
const APPID: &str = "x-wx-appid";
const CODE: &str = "x-wx-code";

/// What a client asks for when it logs in.
#[derive(Deserialize)]
pub(super) struct Form {
    pub(super) code: String,
    #[serde(default)]
    pub(super) appid: Option<String>,
    /// The session of a token that came along.
    #[serde(skip)]
    pub(super) presented: Option<SessionId>,
}

impl Form {
    /// Reads a request: a POST with a JSON body, or a GET as Wafer clients send it.
    pub(super) async fn read<B>(
        request: Request<B>,
        serves_wafer: bool,
    ) -> Result<Self, RejectionKind>
    where
        B: Body,
    {
        let appid = header(&request, APPID)?;
        let presented = presented(&request);
        let form = match *request.method() {
            Method::POST => Self::from_body(request.into_body()).await?,
            Method::GET if serves_wafer => Self {
                code: header(&request, CODE)?.unwrap_or_default(),
                appid: None,
                presented: None,
            },
            _ => return Err(RejectionKind::MethodNotAllowed),
        };
        Self { presented, ..form }.with_appid(appid)?.validated()
    }

    async fn from_body<B: Body>(body: B) -> Result<Self, RejectionKind> {
        let bytes = read(body).await.ok_or(RejectionKind::BadRequest)?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let form = json.deserialize_map(Fields);
        let form = form.and_then(|form| json.end().map(|()| form));
        form.map_err(|_| RejectionKind::BadRequest)
    }

    /// The body and the header have to agree where both name an app.
    fn with_appid(self, header: Option<String>) -> Result<Self, RejectionKind> {
        let body = self.appid.filter(|appid| !appid.is_empty());
        let appid = match (body, header) {
            (Some(body), Some(header)) if body != header => return Err(RejectionKind::BadRequest),
            (body, header) => body.or(header),
        };
        Ok(Self { appid, ..self })
    }

    fn validated(self) -> Result<Self, RejectionKind> {
        let usable = 1..=CODE_LIMIT;
        if self.code.trim().is_empty() || !usable.contains(&self.code.len()) {
            return Err(RejectionKind::BadRequest);
        }
        Ok(self)
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form")
            .field("appid", &self.appid)
            .field("presented", &self.presented)
            .finish_non_exhaustive()
    }
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

async fn read<B: Body>(body: B) -> Option<Vec<u8>> {
    let mut body = std::pin::pin!(body);
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

/// The value of a header, which has to be text; an empty one counts as absent.
fn header<B>(request: &Request<B>, name: &str) -> Result<Option<String>, RejectionKind> {
    let value = request.headers().get(name).map(|value| value.to_str());
    let text = value.transpose().map_err(|_| RejectionKind::BadRequest)?;
    Ok(text.filter(|text| !text.is_empty()).map(ToOwned::to_owned))
}

/// The session that a client still has a token of; a login goes on without one.
fn presented<B>(request: &Request<B>) -> Option<SessionId> {
    let sources = [TokenSource::bearer(), TokenSource::skey()];
    match Found::find(&sources, request) {
        Found::One(text) => Token::parse(text).map(|token| token.id()),
        Found::Nothing | Found::Several => None,
    }
}
