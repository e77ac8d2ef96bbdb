//! What the providers of this module have alike.

/// A provider that asks one host by one function:
/// `async fn(&Site, &App, code: &str) -> Result<User, Failure>`.
macro_rules! provider {
    (
        $(#[$docs:meta])*
        $name:ident at $url:literal, by $exchange:path $(, codes $policy:expr)?
    ) => {
        $(#[$docs])*
        ///
        /// Its `Debug` shows no secret, and clones share their connections.
        #[derive(Clone, Debug)]
        pub struct $name($crate::platform::site::Site);

        impl $name {
            /// The platform for one app, with its secret from the platform's console.
            ///
            /// It touches neither the network nor a runtime. Should the HTTP client not come about (a
            /// system without root certificates), every exchange is
            /// [`Misconfigured`](crate::login::ExchangeErrorKind::Misconfigured) and names the cause.
            pub fn new(
                appid: impl Into<std::sync::Arc<str>>,
                secret: impl Into<std::sync::Arc<str>>,
            ) -> Self {
                Self($crate::platform::site::Site::new($url, appid.into(), secret.into()))
            }

            /// Adds an app; the client then has to name the one it logs in to.
            ///
            /// An appid that is there already gets the new secret.
            #[must_use]
            pub fn with_app(
                self,
                appid: impl Into<std::sync::Arc<str>>,
                secret: impl Into<std::sync::Arc<str>>,
            ) -> Self {
                Self(self.0.with_app(appid.into(), secret.into()))
            }

            #[doc = concat!("Replaces the platform's host (`", $url, "`) by a gateway of yours or a fake.")]
            ///
            /// A path is kept, and a slash at the end makes no difference.
            ///
            /// # Errors
            ///
            /// If it is no `http` or `https` URL, or has a query, a fragment or credentials.
            pub fn with_base_url(
                self,
                url: &str,
            ) -> Result<Self, $crate::config_error::ConfigError> {
                Ok(Self(self.0.with_base_url(url)?))
            }

            /// Sets how long a request may take, connecting and the body included (default 3 s).
            #[must_use]
            pub fn with_timeout(self, timeout: std::time::Duration) -> Self {
                Self(self.0.with_timeout(timeout))
            }

            /// Sets what an error code means that the platform does not document, or that means
            /// something else to you.
            ///
            /// The code is as the log has it, such as `-1009` or `invalid_grant`.
            #[must_use]
            pub fn with_error_kind(
                self,
                code: impl Into<std::sync::Arc<str>>,
                kind: $crate::login::ExchangeErrorKind,
            ) -> Self {
                Self(self.0.with_error_kind(code.into(), kind))
            }
        }

        impl $crate::login::IdentityProvider for $name {
            fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
                self.0.resolve(appid)
            }

            $(fn code_policy(&self, _: &str) -> $crate::login::CodePolicy {
                $policy
            })?

            async fn exchange(
                &self,
                request: $crate::login::LoginRequest<'_>,
            ) -> Result<$crate::login::Exchanged, $crate::login::ExchangeError> {
                let app = self.0.app(&request)?;
                let user = $exchange(&self.0, app, request.code()).await;
                self.0.conclude(app, &request, user, &app.secret)
            }
        }
    };
}

pub(super) use provider;
