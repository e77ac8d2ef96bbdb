//! What stores that only differ in a few operations have in common.

/// Writes operations of a store that are those of its field `inner`.
macro_rules! as_inner {
    ($($operation:ident($($argument:ident: $type:ty)?) -> $answer:ty;)*) => {
        $(async fn $operation(&self $(, $argument: $type)?) -> Result<$answer, StoreError> {
            self.inner.$operation($($argument)?).await
        })*
    };
}

pub(crate) use as_inner;
