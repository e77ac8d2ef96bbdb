use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Has the provider check what a code `NAME:anything` stands for: launch data of the user NAME,
/// which `sign` makes. Anything else is launch data already.
pub(super) async fn exchange<P: IdentityProvider>(
    provider: &P,
    request: LoginRequest<'_>,
    sign: impl Fn(&str, SystemTime) -> String,
) -> Result<Exchanged, ExchangeError> {
    let Some(name) = name(request.code()) else {
        return provider.exchange(request).await;
    };
    let now = request.received_at();
    let launch_data = match name {
        "broken" => "broken".to_owned(),
        "old" => sign(name, now - DAY),
        name => sign(name, now),
    };
    drop(sign);
    let launch = LoginRequest::new(request.appid(), &launch_data).at(now);
    // What a code stands for is signed anew each time; the code is good once all the same.
    Ok(provider.exchange(launch).await?.once_per(request.code()))
}

/// Launch data has a `=` in it, and is no code.
fn name(code: &str) -> Option<&str> {
    let (name, _) = code.split_once(':').filter(|_| !code.contains('='))?;
    (!name.is_empty()).then_some(name)
}

/// The id of the user NAME: the same at every login, and of 52 bits, the most that Telegram gives.
pub(super) fn user_id(name: &str) -> u64 {
    let digest = Sha256::digest(name);
    let word = digest.iter().take(8);
    word.fold(0, |word, byte| word << 8 | u64::from(*byte)) >> 12
}

pub(super) fn seconds(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().to_string()
}
