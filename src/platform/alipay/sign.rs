/// What a request's signature is made over: `name=value` sorted by name and joined by `&`, nothing
/// encoded.
pub(super) fn signed_text(parameters: &[(&str, &str)]) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let lines = sorted.iter().map(|(name, value)| format!("{name}={value}"));
    lines.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::alipay::fixtures::vectors;

    #[test]
    fn the_signed_text_is_that_of_the_published_sdks() {
        for vector in vectors()["sign"].as_array().unwrap() {
            let parameters = vector["params"].as_object().unwrap().iter();
            let parameters = parameters.map(|(name, value)| (&**name, value.as_str().unwrap()));
            let text = signed_text(&parameters.collect::<Vec<_>>());
            assert_eq!(text, vector["sign_string"], "{}", vector["name"]);
        }
    }
}
