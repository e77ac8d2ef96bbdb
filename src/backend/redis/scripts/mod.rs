use std::sync::LazyLock;

use redis::{Cmd, cmd};

pub(crate) mod calls;

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
    KEEP = "keep.lua";
    SUCCEED = "succeed.lua";
    REPLACE = "replace.lua";
    END = "end.lua";
}

/// A run of a script.
pub(crate) struct Call {
    script: &'static Script,
    keys: Vec<String>,
    /// How many of the keys are there whatever else the script needs.
    fixed: usize,
    arguments: Vec<Vec<u8>>,
}

impl Script {
    /// Runs on `keys`, of which the first decides where.
    pub(crate) fn on<const N: usize>(&'static self, keys: [String; N]) -> Call {
        Call {
            script: self,
            keys: keys.into(),
            fixed: N,
            arguments: Vec::new(),
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
    pub(crate) fn also_on(mut self, key: Option<String>) -> Self {
        self.keys.extend(key);
        self.fixed = self.keys.len();
        self
    }

    /// Gives the script the keys that it needs, instead of those that it needed before.
    pub(crate) fn give_needed(&mut self, keys: impl Iterator<Item = String>) {
        self.keys.truncate(self.fixed);
        self.keys.extend(keys);
    }

    pub(crate) fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
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
        command.arg(script).arg(self.keys.len());
        for key in &self.keys {
            command.arg(key);
        }
        for argument in &self.arguments {
            command.arg(argument.as_slice());
        }
        command
    }
}
