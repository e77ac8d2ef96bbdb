use std::fmt;
use std::sync::Arc;

use super::refused::Refused;

/// The apps of a provider, each with what its launch data is checked by.
///
/// `Debug` shows the appids.
#[derive(Clone)]
pub(in crate::platform) struct Apps<K>(Vec<(Arc<str>, K)>);

impl<K> Apps<K> {
    pub(in crate::platform) fn one(appid: Arc<str>, key: K) -> Self {
        Self(vec![(appid, key)])
    }

    /// Adds an app; one that is there already gets the new key.
    pub(in crate::platform) fn with(mut self, appid: Arc<str>, key: K) -> Self {
        self.0.retain(|(known, _)| *known != appid);
        self.0.push((appid, key));
        self
    }

    /// The app that the client named, or the only one.
    pub(in crate::platform) fn resolve(&self, appid: Option<&str>) -> Option<&str> {
        match (appid, &*self.0) {
            (Some(appid), _) => self.find(appid).map(|(appid, _)| &**appid),
            (None, [(only, _)]) => Some(only),
            (None, _) => None,
        }
    }

    pub(in crate::platform) fn get(&self, appid: &str) -> Result<&(Arc<str>, K), Refused> {
        self.find(appid).ok_or(Refused::UnknownApp)
    }

    fn find(&self, appid: &str) -> Option<&(Arc<str>, K)> {
        self.0.iter().find(|(known, _)| **known == *appid)
    }
}

impl<K> fmt::Debug for Apps<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(appid, _)| appid))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configured_apps_resolve() {
        let one = Apps::one("1".into(), "key of 1");
        assert_eq!(one.resolve(None), Some("1"));
        assert_eq!(one.resolve(Some("1")), Some("1"));
        assert_eq!(one.resolve(Some("2")), None);

        let two = one.with("2".into(), "key of 2");
        assert_eq!(two.resolve(None), None);
        assert_eq!(two.resolve(Some("2")), Some("2"));
        assert_eq!(two.get("3"), Err(Refused::UnknownApp));
        assert_eq!(format!("{two:?}"), r#"["1", "2"]"#);
    }

    #[test]
    fn an_app_given_again_gets_the_new_key() {
        let apps = Apps::one("1".into(), "old").with("1".into(), "new");
        assert_eq!(apps.resolve(None), Some("1"));
        assert_eq!(apps.get("1").unwrap().1, "new");
    }
}
