/// Which of Alipay's two names of a user is the openid of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlipayUserId {
    /// The `open_id`: a user has another one in every app. New apps get only this.
    OpenId,
    /// The `user_id`, 16 digits that begin with 2088: the same in every app.
    UserId,
}
