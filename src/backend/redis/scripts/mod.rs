use std::sync::OnceLock;

use redis::{Cmd, cmd};

use super::wire::keys::NamedKey;
use crate::backend::wire::bytes::ID_LEN;

pub(crate) mod calls;
#[cfg(test)]
mod tests;

/// Who publishes what a script has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publisher {
    Script,
    /// The store, after the script: some servers let no script publish.
    Store,
}

/// A script as it is sent.
struct Text {
    code: &'static str,
    hash: OnceLock<String>,
}

impl Text {
    const fn new(code: &'static str) -> Self {
        let hash = OnceLock::new();
        Self { code, hash }
    }

    /// The name by which a server that has it knows it.
    fn hash(&self) -> &str {
        let hash = || redis::Script::new(self.code).get_hash().to_owned();
        self.hash.get_or_init(hash)
    }
}

pub(crate) struct Script {
    text: Text,
    /// One that gives back what it has changed, if this one publishes it.
    giving_back: Option<Text>,
}

macro_rules! text {
    ($($file:literal),*) => {
        Text::new(concat!($(include_str!($file), "\n"),*))
    };
}

macro_rules! scripts {
    (alone { $($alone:ident = $text:literal;)* } { $($name:ident = $file:literal;)* } announcing { $($announcing:ident = $announced:literal;)* }) => {
        $(static $alone: Script = Script {
            text: text!($text),
            giving_back: None,
        };)*
        $(static $name: Script = Script {
            text: text!("common.lua", $file),
            giving_back: None,
        };)*
        $(static $announcing: Script = Script {
            text: text!("common.lua", "publish.lua", $announced),
            giving_back: Some(text!("common.lua", "give_back.lua", $announced)),
        };)*

        #[cfg(test)]
        static SCRIPTS: &[(&str, &Script)] =
            &[$(($text, &$alone),)* $(($file, &$name),)* $(($announced, &$announcing),)*];
    };
}

scripts! {
    alone {
        ADD = "add.lua";
    }
    {
        TIDY = "tidy.lua";
        TOUCH = "touch.lua";
        INDEX = "index.lua";
        LIST = "list.lua";
        PUT_SESSION_KEY = "put_session_key.lua";
        TAG_KEYS = "tag_keys.lua";
        KEEP = "keep.lua";
    }
    announcing {
        INSERT = "insert.lua";
        ROTATE = "rotate.lua";
        REVOKE_SESSION = "revoke_session.lua";
        REVOKE_USER = "revoke_user.lua";
        SUCCEED = "succeed.lua";
        REPLACE = "replace.lua";
        END = "end.lua";
    }
}

/// Publishes where nobody listens, to find out whether scripts may.
static TRIAL: &str = include_str!("trial.lua");

/// A run of a script.
pub(crate) struct Call {
    script: &'static Script,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
    /// More keys, behind the others, and the names that the script knows them by, behind the
    /// arguments.
    named: Vec<NamedKey>,
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
    pub(crate) fn also_on(mut self, named: Option<NamedKey>) -> Self {
        self.named.extend(named);
        self.fixed = self.named.len();
        self
    }

    /// One run for all of these, of a script that takes any number of the like: their keys, and behind the
    /// first argument, which all have, their arguments. `None` of none.
    pub(crate) fn of_all(calls: impl IntoIterator<Item = Self>) -> Option<Self> {
        calls.into_iter().reduce(|mut all, next| {
            all.keys.extend(next.keys);
            all.arguments.extend(next.arguments.into_iter().skip(1));
            all
        })
    }

    /// Gives the script the keys that it needs, instead of those that it needed before.
    pub(crate) fn give_needed(&mut self, needed: impl Iterator<Item = NamedKey>) {
        self.named.truncate(self.fixed);
        self.named.extend(needed);
    }

    pub(crate) fn key(&self) -> &str {
        let mut keys = self.all_keys();
        keys.next().unwrap_or_default()
    }

    /// Whether it may change what links are told of.
    pub(crate) const fn announces(&self) -> bool {
        self.script.giving_back.is_some()
    }

    /// The sessions that it may change, besides one that is new, by their names.
    pub(crate) fn may_change(&self) -> impl Iterator<Item = Vec<u8>> {
        let names = self.named.iter().map(|named| named.name.as_bytes());
        names
            .filter(|name| name.len() == ID_LEN)
            .map(<[u8]>::to_vec)
    }

    /// The channel that all links hear.
    pub(crate) fn channel(&self) -> &[u8] {
        let channels = self.arguments.first().map_or(&[][..], Vec::as_slice);
        channels
            .split(|byte| *byte == b' ')
            .next()
            .unwrap_or_default()
    }

    /// Finds out whether scripts may publish, where this one runs.
    pub(crate) fn trial(&self) -> Cmd {
        let mut trial = cmd("EVAL");
        let channel = [self.channel(), b":trial"].concat();
        trial.arg(TRIAL).arg(1).arg(self.key()).arg(channel);
        trial
    }

    /// For a server that has the script.
    pub(crate) fn by_hash(&self, publisher: Publisher) -> Cmd {
        self.command("EVALSHA", self.text(publisher).hash())
    }

    /// For a server that has not: it keeps the script.
    pub(crate) fn by_code(&self, publisher: Publisher) -> Cmd {
        self.command("EVAL", self.text(publisher).code)
    }

    fn text(&self, publisher: Publisher) -> &'static Text {
        match (publisher, &self.script.giving_back) {
            (Publisher::Store, Some(giving_back)) => giving_back,
            _ => &self.script.text,
        }
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
