use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::sync::Lock;

/// Apps whose users share a part: more than a service has by far.
const MOST: usize = 1000;
/// What is longer is no appid, and not shared: what is shared stays.
const LONGEST: usize = 256;

/// What an identity has beside an openid of a usual length.
///
/// Users without more share that of their app.
pub(super) struct Rest {
    pub(super) appid: Arc<str>,
    /// One that has no room in the identity.
    pub(super) long_openid: Option<Arc<str>>,
    pub(super) unionid: Option<Arc<str>>,
}

/// What is shared, by appid. Appids come from configurations and from records of the store, and not
/// from clients unless an application reads identities from them.
static APPS: LazyLock<Lock<Apps>> = LazyLock::new(Lock::default);

thread_local! {
    /// That of the app which this thread met last: most services have one, and their threads need not meet at
    /// the lock for each session.
    static LAST: RefCell<Option<Arc<Rest>>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Apps(HashMap<Arc<str>, Arc<Rest>>);

impl Rest {
    /// That of the users of an app who have nothing else.
    pub(super) fn of(appid: &str) -> Arc<Self> {
        if appid.len() > LONGEST {
            return Arc::new(Self::new(appid.into()));
        }
        // None where the thread is about to end.
        let last = LAST.try_with(|last| Self::last_or_shared(&mut last.borrow_mut(), appid));
        last.unwrap_or_else(|_| APPS.lock().rest_of(appid))
    }

    fn last_or_shared(last: &mut Option<Arc<Self>>, appid: &str) -> Arc<Self> {
        match last {
            Some(rest) if *rest.appid == *appid => Arc::clone(rest),
            other => Arc::clone(other.insert(APPS.lock().rest_of(appid))),
        }
    }

    const fn new(appid: Arc<str>) -> Self {
        Self {
            appid,
            long_openid: None,
            unionid: None,
        }
    }
}

impl Apps {
    fn rest_of(&mut self, appid: &str) -> Arc<Rest> {
        match self.0.get(appid) {
            Some(rest) => Arc::clone(rest),
            None => self.add(appid.into()),
        }
    }

    fn add(&mut self, appid: Arc<str>) -> Arc<Rest> {
        // Identities keep what they have. Those that are made from now on share a new one.
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let rest = Arc::new(Rest::new(Arc::clone(&appid)));
        self.0.insert(appid, Arc::clone(&rest));
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_apps_are_remembered_than_a_service_has() {
        let mut apps = Apps::default();
        for number in 0..3 * MOST {
            let appid = format!("app {number}");
            assert_eq!(*apps.rest_of(&appid).appid, appid);
            assert!(apps.0.len() <= MOST);
        }
        let [one, again] = [0; 2].map(|_| apps.rest_of("app"));
        assert!(Arc::ptr_eq(&one, &again));
    }

    #[test]
    fn what_is_no_appid_by_its_length_is_not_remembered() {
        for len in [0, 18, LONGEST, LONGEST + 1, 1 << 20] {
            let appid = "a".repeat(len);
            let [one, again] = [0; 2].map(|_| Rest::of(&appid));
            assert_eq!(*one.appid, appid);
            assert_eq!(Arc::ptr_eq(&one, &again), len <= LONGEST);
        }
    }
}
