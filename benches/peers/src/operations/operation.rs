use super::plain::Command;

/// What is done to sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// The store's part of a check, without the node.
    Load,
    /// A check by a node that does not know the session.
    Check,
    Login,
    /// The first use of a session, as a node tells the store of it.
    Use,
    Rotation,
    Logout,
}

impl Operation {
    pub(crate) const ALL: [Self; 6] = [
        Self::Load,
        Self::Check,
        Self::Login,
        Self::Use,
        Self::Rotation,
        Self::Logout,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Check => "cold check",
            Self::Login => "login",
            Self::Use => "use",
            Self::Rotation => "rotation",
            Self::Logout => "logout",
        }
    }

    pub(crate) const fn writes(self) -> bool {
        matches!(self.plain(), Command::Set)
    }

    /// The least that it could be.
    pub(crate) const fn plain(self) -> Command {
        match self {
            Self::Load | Self::Check => Command::Get,
            Self::Login | Self::Use | Self::Rotation | Self::Logout => Command::Set,
        }
    }
}
