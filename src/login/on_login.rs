use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use super::refusal::Refusal;
use crate::identity::Identity;
use crate::session::to_json;

/// What an application does with an identity before there is a session.
///
/// Implemented for functions and closures from `&Identity` to a future of
/// `Result<Data, Refusal>`; see [`Login::on_login`](super::Login::on_login).
pub trait OnLogin<'a>: Fn(&'a Identity) -> Self::Answer + Send + Sync {
    /// The future that the function returns.
    type Answer: Future<Output = Result<Self::Data, Refusal>> + Send + 'a;
    /// The application's data for the session.
    type Data: Serialize;
}

impl<'a, F, A, D> OnLogin<'a> for F
where
    F: Fn(&'a Identity) -> A + Send + Sync,
    A: Future<Output = Result<D, Refusal>> + Send + 'a,
    D: Serialize,
{
    type Answer = A;
    type Data = D;
}

type Decision<'a> = Pin<Box<dyn Future<Output = Result<Arc<str>, Refusal>> + Send + 'a>>;

/// [`OnLogin`] without its types.
pub(super) type Hook = dyn for<'a> Fn(&'a Identity) -> Decision<'a> + Send + Sync;

pub(super) fn hook<F>(on_login: F) -> Arc<Hook>
where
    F: for<'a> OnLogin<'a> + 'static,
{
    Arc::new(move |identity| {
        let answer = on_login(identity);
        Box::pin(async move { to_json(&answer.await?).map_err(Refusal::unwritable) })
    })
}
