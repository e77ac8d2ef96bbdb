use std::fmt;
use std::sync::Arc;

/// One mini program and its secret, or what stands in for one.
#[derive(Clone)]
pub(crate) struct App<S = Arc<str>> {
    pub(crate) appid: Arc<str>,
    pub(crate) secret: S,
}

/// The mini programs that a provider is configured for.
#[derive(Clone, Debug)]
pub(crate) struct Apps<S = Arc<str>>(Vec<App<S>>);

impl<S> Apps<S> {
    pub(crate) fn new(appid: impl Into<Arc<str>>, secret: impl Into<S>) -> Self {
        Self(Vec::new()).with(appid, secret)
    }

    /// Adds an app; one that is there already gets the new secret.
    pub(crate) fn with(mut self, appid: impl Into<Arc<str>>, secret: impl Into<S>) -> Self {
        let (appid, secret) = (appid.into(), secret.into());
        self.0.retain(|app| app.appid != appid);
        self.0.push(App { appid, secret });
        self
    }

    pub(crate) fn get(&self, appid: &str) -> Option<&App<S>> {
        self.0.iter().find(|app| *app.appid == *appid)
    }

    /// The app that a client means; the only one, if it named none.
    pub(crate) fn resolve(&self, appid: Option<&str>) -> Option<&str> {
        let app = match (appid, &*self.0) {
            (Some(appid), _) => self.get(appid),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        app.map(|app| &*app.appid)
    }
}

impl<S> fmt::Debug for App<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("appid", &self.appid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configured_apps_resolve() {
        let one = Apps::<Arc<str>>::new("wx1", "s");
        assert_eq!(one.resolve(None), Some("wx1"));
        assert_eq!(one.resolve(Some("wx1")), Some("wx1"));
        assert_eq!(one.resolve(Some("wx2")), None);
        assert_eq!(one.resolve(Some("")), None);

        let two = one.with("wx2", "s");
        assert_eq!(two.resolve(None), None);
        assert_eq!(two.resolve(Some("wx1")), Some("wx1"));
        assert_eq!(two.resolve(Some("wx2")), Some("wx2"));
        assert_eq!(two.resolve(Some("wx3")), None);
    }

    #[test]
    fn an_appid_given_again_gets_the_new_secret() {
        let apps = Apps::<Arc<str>>::new("wx1", "old").with("wx1", "new");
        assert_eq!(apps.resolve(None), Some("wx1"));
        assert_eq!(&*apps.get("wx1").unwrap().secret, "new");
    }

    #[test]
    fn the_secret_cannot_print() {
        let apps = Apps::<Arc<str>>::new("wx1", "canary");
        assert_eq!(format!("{apps:?}"), "Apps([App { appid: \"wx1\", .. }])");
    }
}
