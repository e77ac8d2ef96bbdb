use bytes::Bytes;

/// A message in the wire format of Protocol Buffers: as much of it as a refusal needs.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

impl Message {
    /// Adds an integer that is not negative; zero is the default, and left out.
    pub(super) fn integer(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
    }

    /// Adds bytes or a string.
    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Adds a message, a map's entry among them.
    pub(super) fn message(&mut self, field: u64, value: &Self) {
        self.bytes(field, &value.0);
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0.into()
    }

    /// Seven bits a byte, the least significant first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the format's documentation.
    #[test]
    fn values_are_encoded_as_documented() {
        let mut message = Message::default();
        message.integer(1, 150);
        message.bytes(2, b"testing");
        message.integer(3, 0);
        let mut outer = Message::default();
        outer.message(3, &message);
        let expected = b"\x1a\x0c\x08\x96\x01\x12\x07testing";
        assert_eq!(*outer.into_bytes(), *expected);
    }
}
