use super::data::OpenData;
use super::error::OpenDataError;
use crate::session::Session;
use crate::sessions::Sessions;
use crate::store::SessionStore;

/// Open data of the session's user.
impl<S: SessionStore> Sessions<S> {
    /// Reads the user's session_keys from the store, to decrypt what the client sends and to check its
    /// signatures; feature `crypto`.
    ///
    /// Watermarks are to be of the session's app, and an `openId` in the data that of its user. Watermarks are compared with the fleet's clock at this moment.
    /// See [`open_data`](crate::open_data) for an example.
    ///
    /// # Errors
    ///
    /// [`StoreUnavailable`](crate::open_data::OpenDataErrorKind::StoreUnavailable) or
    /// [`SessionKeysNotKept`](crate::open_data::OpenDataErrorKind::SessionKeysNotKept), which are not the
    /// client's fault.
    pub async fn open_data(&self, session: &Session) -> Result<OpenData, OpenDataError> {
        self.node().learn_clock().await?;
        let keys = self.session_key(session.identity()).await?;
        let now = self.node().clock.now();
        Ok(OpenData::new(keys, session.identity().app())
            .of_user(session.openid())
            .at(now.into()))
    }
}
