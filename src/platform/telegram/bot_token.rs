use crate::config_error::ConfigError;

/// The token of a bot, as BotFather gives it: `ID:SECRET`.
pub(super) struct BotToken<'a> {
    pub(super) id: &'a str,
    pub(super) text: &'a str,
}

impl<'a> BotToken<'a> {
    /// What does not look like a token is not shown: it may be one with a typing error.
    pub(super) fn parse(text: &'a str) -> Result<Self, ConfigError> {
        let parts = text.split_once(':');
        let parts = parts.filter(|(id, secret)| is_id(id) && is_secret(secret));
        let (id, _) = parts.ok_or_else(|| {
            ConfigError::hidden(
                "bot_token",
                "a bot's id, a colon and its secret, without spaces",
            )
        })?;
        Ok(Self { id, text })
    }
}

fn is_id(id: &str) -> bool {
    id.parse::<u64>()
        .is_ok_and(|number| number.to_string() == id)
}

fn is_secret(secret: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !secret.is_empty() && secret.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stands_before_the_colon() {
        let token = BotToken::parse("7000000001:AAThrow-Away_0").unwrap();
        assert_eq!(
            (token.id, token.text),
            ("7000000001", "7000000001:AAThrow-Away_0")
        );
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_shown() {
        for text in [
            "",
            ":",
            "1:",
            ":AA",
            "AA",
            "1",
            "x1:AA",
            "01:AA",
            "+1:AA",
            " 1:AA",
            "1:AA ",
            "1:AA\n",
            "1:A:A",
            "bot1:AA",
            "-1:AA",
            "18446744073709551616:AA",
        ] {
            let error = BotToken::parse(text).err().unwrap().to_string();
            let expected = "bot_token: expected a bot's id, a colon and its secret, without spaces, \
                            got a value that is not shown, as it may hold credentials";
            assert_eq!(error, expected, "{text:?}");
        }
    }
}
