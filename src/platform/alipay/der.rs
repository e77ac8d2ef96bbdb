/// Bytes in DER (X.690), read one element after the other.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

/// One element of DER.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// The content with its tag and its length.
    pub(super) whole: &'a [u8],
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

impl<'a> Der<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element, if it is one of this kind.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// Leaves out an optional element.
    pub(super) fn skip(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (content, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Element {
            tag,
            content,
            whole,
        })
    }
}

impl<'a> Element<'a> {
    pub(super) const fn inner(self) -> Der<'a> {
        Der(self.content)
    }
}

/// The length at the beginning, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((first.into(), rest));
    }
    // No certificate has 16 MiB, and DER has no other end than a length.
    let count = usize::from(first & 0x7f);
    if !(1..=3).contains(&count) {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits
        .iter()
        .fold(0, |sum, &digit| sum << 8 | usize::from(digit));
    Some((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_one_after_the_other() {
        let long = [&[0x04, 0x81, 0x80][..], &[7; 0x80]].concat();
        let bytes = [&[0x02, 0x01, 0x05][..], &long, &[0x30, 0x00]].concat();
        let mut der = Der::new(&bytes);
        der.skip(SEQUENCE);
        assert_eq!(der.take(INTEGER).unwrap().content, [5]);
        let octets = der.next().unwrap();
        assert_eq!((octets.content, octets.whole), (&[7; 0x80][..], &*long));
        assert!(!der.is_empty());
        assert!(der.take(SEQUENCE).unwrap().inner().is_empty());
        assert!(der.is_empty() && der.next().is_none());
    }

    #[test]
    fn what_is_cut_or_endless_is_no_element() {
        let bytes: &[&[u8]] = &[
            &[],
            &[0x30],
            &[0x30, 0x02, 0x01],
            &[0x30, 0x80, 0x00, 0x00],
            &[0x30, 0x81],
            &[0x30, 0x82, 0x01],
            &[0x30, 0x84, 0x00, 0x00, 0x00, 0x00],
            &[0x30, 0xff],
        ];
        for bytes in bytes {
            assert!(Der::new(bytes).take(SEQUENCE).is_none(), "{bytes:x?}");
        }
    }
}
