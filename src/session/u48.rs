/// A number of milliseconds in six bytes, as records hold them, or the greatest that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct U48([u16; 3]);

impl U48 {
    const MAX: u64 = (1 << 48) - 1;

    pub(super) fn new(number: u64) -> Self {
        let number = number.min(Self::MAX);
        Self([number as u16, (number >> 16) as u16, (number >> 32) as u16])
    }

    #[inline]
    pub(super) fn get(self) -> u64 {
        let [low, middle, high] = self.0.map(u64::from);
        low | middle << 16 | high << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_and_what_does_not_is_the_greatest() {
        for number in [0, 1, 0x1234_5678_9ABC, U48::MAX] {
            assert_eq!(U48::new(number).get(), number);
        }
        assert_eq!(U48::new(U48::MAX + 1).get(), U48::MAX);
        assert_eq!(U48::new(u64::MAX).get(), U48::MAX);
        assert_eq!(size_of::<U48>(), 6);
    }
}
