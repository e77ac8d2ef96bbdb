use http::Response;
use http::header::SET_COOKIE;

/// The cookies that a response sets, as the client sends them back.
pub(super) fn cookies<B>(response: &Response<B>) -> String {
    let values = response.headers().get_all(SET_COOKIE).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let cookies = texts.filter_map(|text| text.split(';').next());
    cookies.collect::<Vec<_>>().join("; ")
}
