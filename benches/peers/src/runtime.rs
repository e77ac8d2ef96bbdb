use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all();
    builder.build().expect("the system has a thread to give")
});

/// What runs in the background of services, such as writes of uses.
pub(crate) fn runtime() -> &'static Runtime {
    &RUNTIME
}
