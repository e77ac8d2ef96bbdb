use std::time::Duration;

use super::answer::Answer;
use super::received::Received;
use super::world::World;

/// How one platform takes an exchange, and answers it.
pub trait Dialect: Default + Send + Sync + 'static {
    /// The app that is known from the start.
    const APPID: &'static str;
    /// Its secret.
    const SECRET: &'static str;
    /// How long a code is good.
    const CODE_LIFETIME: Duration = Duration::from_secs(300);

    /// Answers a request; `None` if there is nothing at that path.
    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer>;
}
