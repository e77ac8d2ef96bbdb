use std::sync::LazyLock;

use redis::{Cmd, cmd};

use super::wire::keys::Named;

pub(crate) mod calls;
#[cfg(test)]
mod tests;

/// A script, and the name by which a server that has it knows it.
pub(crate) struct Script {
    code: &'static str,
    hash: LazyLock<String>,
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(static $name: Script = Script {
            code: concat!(include_str!("common.lua"), "\n", include_str!($file)),
            hash: LazyLock::new(|| redis::Script::new($name.code).get_hash().to_owned()),
        };)*

        #[cfg(test)]
        static SCRIPTS: &[(&str, &Script)] = &[$(($file, &$name),)*];
    };
}

scripts! {
    INSERT = "insert.lua";
    TIDY = "tidy.lua";
    TOUCH = "touch.lua";
    INDEX = "index.lua";
    ROTATE = "rotate.lua";
    REVOKE_SESSION = "revoke_session.lua";
    REVOKE_USER = "revoke_user.lua";
    LIST = "list.lua";
    PUT_SESSION_KEY = "put_session_key.lua";
    TAG_KEYS = "tag_keys.lua";
}

/// A run of a script.
pub(crate) struct Call {
    script: &'static Script,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
    /// More keys, behind the others, and the names that the script knows them by, behind the
    /// arguments.
    named: Vec<Named>,
    /// How many of these are there whatever else the script needs.
    fixed: usize,
}

impl Script {
    /// Runs on `keys`, of which the first decides where.
    pub(crate) fn on<const N: usize>(&'static self, keys: [String; N]) -> Call {
        Call {
            script: self,
            keys: keys.into(),
            arguments: Vec::new(),
            named: Vec::new(),
            fixed: 0,
        }
    }
}

impl Call {
    pub(crate) fn arg(mut self, argument: impl Into<Vec<u8>>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn number(self, number: impl Into<i128>) -> Self {
        self.arg(number.into().to_string())
    }

    /// One more key that the script always gets.
    pub(crate) fn also_on(mut self, named: Option<Named>) -> Self {
        self.named.extend(named);
        self.fixed = self.named.len();
        self
    }

    /// Gives the script the keys that it needs, instead of those that it needed before.
    pub(crate) fn give_needed(&mut self, needed: impl Iterator<Item = Named>) {
        self.named.truncate(self.fixed);
        self.named.extend(needed);
    }

    pub(crate) fn key(&self) -> &str {
        let mut keys = self.all_keys();
        keys.next().unwrap_or_default()
    }

    /// For a server that has the script.
    pub(crate) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// For a server that has not: it keeps the script.
    pub(crate) fn by_code(&self) -> Cmd {
        self.command("EVAL", self.script.code)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len() + self.named.len());
        for key in self.all_keys() {
            command.arg(key);
        }
        for argument in &self.arguments {
            command.arg(argument.as_slice());
        }
        for named in &self.named {
            command.arg(&named.name);
        }
        command
    }

    fn all_keys(&self) -> impl Iterator<Item = &str> {
        let named = self.named.iter().map(|named| &named.key);
        self.keys.iter().chain(named).map(String::as_str)
    }
}
