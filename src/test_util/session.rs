use std::time::Duration;

use crate::session::{Record, Session, Stamp};
use crate::sessions::NewSession;
use crate::time::Clock;
use crate::token::{TagKey, Token};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A session for the unit test of a handler, without a store or a layer.
///
/// It was issued just now and never used. Put it into the request's extensions, or hand it to a
/// handler that takes it as an argument.
///
/// ```
/// use tower_wx_session::{Identity, Session, sessions::NewSession, test_util};
///
/// async fn greet(session: Session) -> String {
///     format!("hello {}", session.openid())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_wx_session::sessions::DataError> {
/// let session = test_util::session(Identity::new("appid", "alice"));
/// assert_eq!(greet(session).await, "hello alice");
///
/// let new = NewSession::from(Identity::new("appid", "alice")).with_data(&7)?;
/// assert_eq!(test_util::session(new).data::<u8>()?, Some(7));
/// # Ok(())
/// # }
/// ```
pub fn session(new: impl Into<NewSession>) -> Session {
    let new = new.into();
    let now = Clock::monotonic().now();
    let token = Token::mint(&TagKey::new(0, [0; 16]), new.identity.bucket(), &[0; 32]);
    let record = Record::issued(new.identity, now, 24 * HOUR, 2 * HOUR, new.data);
    Session::new(token.id(), record, Stamp::default())
}
