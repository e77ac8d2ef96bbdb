use std::borrow::Cow;
use std::collections::BTreeMap;

use super::refused::Refused;

/// The fields of launch data: decoded as forms are, sorted by name, none of them repeated.
pub(in crate::platform) struct Fields<'a>(BTreeMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> Fields<'a> {
    pub(in crate::platform) fn parse(text: &'a str) -> Result<Self, Refused> {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if fields.insert(name, value).is_some() {
                return Err(Refused::Repeated);
            }
        }
        Ok(Self(fields))
    }

    pub(in crate::platform) fn get(&self, name: &'static str) -> Result<&str, Refused> {
        let value = self.0.get(name).ok_or(Refused::Missing(name))?;
        Ok(value)
    }

    /// A field of nothing but digits.
    pub(in crate::platform) fn number(&self, name: &'static str) -> Result<u64, Refused> {
        let value = self.get(name)?;
        let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_digits.then(|| value.parse().ok()).flatten();
        number.ok_or(Refused::NoNumber(name))
    }

    pub(in crate::platform) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_as_forms_are_and_sorted_by_bytes() {
        let fields = Fields::parse("b=a+b%2B&a=1;2&B=%E5%BC%A0&c&=x")
            .ok()
            .unwrap();
        let expected = [
            ("", "x"),
            ("B", "\u{5f20}"),
            ("a", "1;2"),
            ("b", "a b+"),
            ("c", ""),
        ];
        assert!(fields.iter().eq(expected));
    }

    #[test]
    fn a_repeated_field_is_refused_however_it_is_written() {
        for text in ["a=1&a=1", "a=1&b=2&%61=3", "a&a=", "=1&=1"] {
            assert_eq!(Fields::parse(text).err(), Some(Refused::Repeated), "{text}");
        }
    }

    #[test]
    fn a_number_has_nothing_but_digits() {
        let number = |value: &str| {
            let text = format!("n={value}");
            Fields::parse(&text).ok().unwrap().number("n")
        };
        assert_eq!(number("1700000000"), Ok(1_700_000_000));
        for value in [
            "",
            "%2B1",
            "-1",
            "1.0",
            "1+",
            "1x",
            "0x1",
            "18446744073709551616",
        ] {
            assert_eq!(number(value), Err(Refused::NoNumber("n")), "{value}");
        }
        let none = Fields::parse("m=1").ok().unwrap().number("n");
        assert_eq!(none, Err(Refused::Missing("n")));
    }
}
