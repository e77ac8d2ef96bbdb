use redis::{Value, from_redis_value_ref};

use super::reply::{bytes, field, items, time_of, unintelligible};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Who a server is, and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Greeting {
    pub(crate) is_master: bool,
    pub(crate) now: Timestamp,
}

/// The command that a server tells its role by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoleBy {
    /// Where it is known: no user can be forbidden to send it.
    Hello,
    Role,
    Info,
}

impl RoleBy {
    pub(crate) const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Hello => &["HELLO"],
            Self::Role => &["ROLE"],
            Self::Info => &["INFO", "replication"],
        }
    }

    fn role(self, answer: &Value) -> Result<&[u8], StoreError> {
        let role = match self {
            Self::Hello => of_map(answer, b"role").and_then(bytes),
            Self::Role => items(answer)?.first().and_then(bytes),
            Self::Info => Some(field(answer, "role")?.as_bytes()),
        };
        role.ok_or_else(unintelligible)
    }
}

impl Greeting {
    /// Reads what the server says of its role, and the answer to TIME.
    pub(crate) fn read(by: RoleBy, answers: &[Value]) -> Result<Self, StoreError> {
        let (Some(role), Some(time)) = (answers.first(), answers.get(1)) else {
            return Err(unintelligible());
        };
        Ok(Self {
            is_master: takes_writes(by.role(role)?),
            now: time_of(time)?,
        })
    }

    pub(crate) fn expect_master(self) -> Result<Self, StoreError> {
        if self.is_master {
            Ok(self)
        } else {
            Err(StoreError::unavailable("the server is not a master"))
        }
    }
}

/// Each of KeyDB's active replicas is a master to its clients.
fn takes_writes(role: &[u8]) -> bool {
    matches!(role, b"master" | b"active-replica")
}

/// Whether the answer to `HELLO 3` grants RESP3: a server may take the command and go on as before.
pub(crate) fn grants_resp3(hello: &Value) -> bool {
    let protocol = of_map(hello, b"proto").map(from_redis_value_ref::<i64>);
    matches!(protocol, Some(Ok(3)))
}

/// Whether a server says that it is no part of a Cluster.
pub(crate) fn is_standalone(hello: &Value) -> bool {
    of_map(hello, b"mode").and_then(bytes) == Some(b"standalone")
}

/// A value of a map, which in RESP2 is an array.
fn of_map<'a>(map: &'a Value, name: &[u8]) -> Option<&'a Value> {
    let mut fields = map.as_map_iter()?;
    let found = fields.find(|(key, _)| bytes(key) == Some(name));
    found.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn hello(protocol: i64, role: &str) -> [(Value, Value); 3] {
        [
            (text("server"), text("redis")),
            (text("proto"), Value::Int(protocol)),
            (text("role"), text(role)),
        ]
    }

    fn map(fields: [(Value, Value); 3]) -> Value {
        Value::Map(fields.into())
    }

    fn flat(fields: [(Value, Value); 3]) -> Value {
        Value::Array(fields.into_iter().flat_map(<[Value; 2]>::from).collect())
    }

    fn is_master(by: RoleBy, role: Value) -> Option<bool> {
        let time = Value::Array(vec![text("2"), text("1000")]);
        let greeting = Greeting::read(by, &[role, time]).ok()?;
        assert_eq!(greeting.now, Timestamp::from_millis(2001));
        assert_eq!(greeting.expect_master().is_ok(), greeting.is_master);
        Some(greeting.is_master)
    }

    #[test]
    fn a_server_takes_writes_or_not_in_each_form() {
        let roles = [
            ("master", true),
            ("active-replica", true),
            ("replica", false),
            ("slave", false),
            ("sentinel", false),
        ];
        for (role, expected) in roles {
            let expected = Some(expected);
            let answer = Value::Array(vec![text(role), Value::Int(7), Value::Array(Vec::new())]);
            let info = format!("# Replication\r\nrole:{role}\r\nconnected_slaves:0\r\n");
            assert_eq!(is_master(RoleBy::Hello, map(hello(3, role))), expected);
            assert_eq!(is_master(RoleBy::Hello, flat(hello(2, role))), expected);
            assert_eq!(is_master(RoleBy::Role, answer), expected);
            assert_eq!(is_master(RoleBy::Info, text(&info)), expected);
        }
    }

    #[test]
    fn no_role_is_taken_from_an_answer_that_is_not_understood() {
        for by in [RoleBy::Hello, RoleBy::Role, RoleBy::Info] {
            for answer in [Value::Nil, Value::Okay, Value::Array(Vec::new()), text("")] {
                assert_eq!(is_master(by, answer), None, "{by:?}");
            }
        }
        assert!(Greeting::read(RoleBy::Role, &[]).is_err());
    }

    #[test]
    fn only_a_server_that_says_so_is_alone() {
        let in_mode = |mode: &str| Value::Map(vec![(text("mode"), text(mode))]);
        assert!(is_standalone(&in_mode("standalone")));
        for other in ["cluster", "sentinel", ""] {
            assert!(!is_standalone(&in_mode(other)), "{other}");
        }
        assert!(!is_standalone(&map(hello(3, "master"))));
        assert!(!is_standalone(&Value::Okay));
    }

    #[test]
    fn what_was_granted_counts_and_not_what_was_asked_for() {
        assert!(grants_resp3(&map(hello(3, "master"))));
        assert!(!grants_resp3(&flat(hello(2, "master"))));
        assert!(!grants_resp3(&Value::Array(Vec::new())));
        assert!(!grants_resp3(&Value::Okay));
    }
}
