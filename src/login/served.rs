use std::future::Future;

use crate::observe::{meter, trace};
use crate::rejection::Rejection;
use crate::sessions::Issued;

/// A session for a client, made for its request or for another one with the same code.
pub(super) enum Served {
    New(Issued),
    Repeated(Issued),
}

/// Puts a login into its span, and counts it.
pub(super) async fn record(
    login: impl Future<Output = Result<Served, Rejection>>,
) -> Result<Issued, Rejection> {
    let served = trace::login_span(login).await;
    let is_new = matches!(served, Ok(Served::New(_)));
    let served = served.map(|(Served::New(issued) | Served::Repeated(issued))| issued);
    meter::login(match &served {
        Ok(_) if is_new => "issued",
        Ok(_) => "replayed",
        Err(rejection) => rejection.kind().reason(),
    });
    served
}
