use std::future::Future;
use std::pin::Pin;

use super::code_policy::CodePolicy;
use super::exchange_error::ExchangeError;
use super::provider::{Exchanged, IdentityProvider, LoginRequest};

type Exchanging<'a> = Pin<Box<dyn Future<Output = Result<Exchanged, ExchangeError>> + Send + 'a>>;

/// [`IdentityProvider`] without its type.
pub(super) trait AnyProvider: Send + Sync {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str>;
    fn code_policy(&self, appid: &str) -> CodePolicy;
    fn exchange<'a>(&'a self, request: LoginRequest<'a>) -> Exchanging<'a>;
}

impl<P: IdentityProvider> AnyProvider for P {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        IdentityProvider::resolve(self, appid)
    }

    fn code_policy(&self, appid: &str) -> CodePolicy {
        IdentityProvider::code_policy(self, appid)
    }

    fn exchange<'a>(&'a self, request: LoginRequest<'a>) -> Exchanging<'a> {
        Box::pin(IdentityProvider::exchange(self, request))
    }
}
