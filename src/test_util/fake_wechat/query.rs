/// The parameters of code2Session; a missing one is empty.
#[derive(Default)]
pub(super) struct Query {
    pub(super) appid: String,
    pub(super) secret: String,
    pub(super) js_code: String,
    pub(super) grant_type: String,
}

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let field = match &*name {
                "appid" => &mut query.appid,
                "secret" => &mut query.secret,
                "js_code" => &mut query.js_code,
                "grant_type" => &mut query.grant_type,
                _ => continue,
            };
            *field = value.into_owned();
        }
        query
    }
}
