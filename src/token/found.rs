use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::Token;

/// The tokens of a request, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Found<'r> {
    Nothing,
    One(Presented<'r>),
    Several,
}

impl<'r> Found<'r> {
    #[inline]
    pub(super) fn add(&mut self, token: Presented<'r>) {
        match *self {
            _ if token.text().is_empty() => {}
            Self::Nothing => *self = Self::One(token),
            Self::One(other) if other == token => {}
            Self::One(_) | Self::Several => *self = Self::Several,
        }
    }
}

/// What a request has where a token belongs: borrowed, and decoded only where it has to be.
#[derive(Clone, Copy, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Presented<'r> {
    Plain(&'r [u8]),
    /// What is no valid percent-encoding in it stands for itself.
    PercentEncoded(&'r [u8]),
}

impl<'r> Presented<'r> {
    /// As it was sent.
    #[inline]
    pub(crate) const fn text(&self) -> &'r [u8] {
        match self {
            Self::Plain(text) | Self::PercentEncoded(text) => text,
        }
    }

    #[inline]
    pub(crate) fn parse(self) -> Option<Token> {
        match self {
            Self::Plain(text) => Token::parse(text),
            Self::PercentEncoded(_) => self.decode_and_parse(),
        }
    }

    /// Apart, so that it costs the others nothing.
    #[cold]
    fn decode_and_parse(self) -> Option<Token> {
        Token::parse(&self.decoded())
    }

    #[cold]
    fn is_same_decoded(self, other: Self) -> bool {
        self.decoded() == other.decoded()
    }

    pub(crate) fn decoded(self) -> Cow<'r, [u8]> {
        match self {
            Self::Plain(text) => text.into(),
            Self::PercentEncoded(text) => percent_decode(text).into(),
        }
    }
}

/// The same token is one, however it is encoded.
impl PartialEq for Presented<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(one), Self::Plain(other)) => one == other,
            _ => self.is_same_decoded(*other),
        }
    }
}
