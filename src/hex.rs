//! Bytes as hexadecimal digits.

/// In lower case.
#[cfg(any(
    feature = "alipay",
    feature = "crypto",
    feature = "douyin",
    feature = "mysql",
    feature = "postgres",
    feature = "test-util",
    feature = "wechat"
))]
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of any case; `None` unless it is exactly so many bytes.
#[cfg(any(feature = "crypto", feature = "telegram"))]
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(from_pair).collect();
    bytes?.try_into().ok()
}

#[cfg(any(feature = "crypto", feature = "telegram"))]
fn from_pair([high, low]: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    #[cfg(any(feature = "crypto", feature = "telegram"))]
    #[test]
    fn hex_is_taken_in_either_case_and_nothing_else() {
        use super::decode;

        assert_eq!(decode("00ffA5a5"), Some([0, 255, 165, 165]));
        for text in [
            "",
            "00ffA5a",
            "00ffA5a5a5",
            "00ffA5a5 ",
            "0x0ffA5a",
            "00ffA5ag",
            "+0ffA5a5",
            "é0ffA5a",
        ] {
            assert_eq!(decode::<4>(text), None, "{text:?}");
        }
    }
}
