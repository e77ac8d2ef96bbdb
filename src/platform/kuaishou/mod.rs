//! Kuaishou's three ways to log in, at home and abroad.

mod answer;
mod game;
mod mini_app;
mod mini_game;

pub use self::game::KwaiGame;
pub use self::mini_app::Kuaishou;
pub use self::mini_game::KuaishouMiniGame;
