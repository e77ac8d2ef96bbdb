//! Statements that go to the server together: one round trip for all.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row, Value};

use crate::hex;

/// Statements as text, with their values in it: a statement that was prepared has a round trip to itself. The
/// first that fails is the last that is done.
#[derive(Debug, Default)]
pub(super) struct Script(String);

impl Script {
    /// Values take the places of the statement's question marks.
    pub(super) fn then(mut self, statement: &str, values: &[Value]) -> Self {
        let mut values = values.iter().map(literal);
        for (place, text) in statement.split('?').enumerate() {
            if place > 0 {
                self.0.push_str(&values.next().unwrap_or_default());
            }
            self.0.push_str(text);
        }
        self.0.push(';');
        self
    }

    /// Returns when all are done.
    pub(super) async fn run(self, on: &mut Conn) -> Result<(), Error> {
        match self.0.is_empty() {
            true => Ok(()),
            false => on.query_drop(self.0).await,
        }
    }

    /// The rows of all statements.
    pub(super) async fn rows(self, on: &mut Conn) -> Result<Vec<Row>, Error> {
        let mut answers = on.query_iter(self.0).await?;
        let mut rows = Vec::new();
        while !answers.is_empty() {
            rows.append(&mut answers.collect().await?);
        }
        // An error behind the first statement looks like the end of the answers here; left there, it
        // would be the next statement's.
        answers.drop_result().await?;
        Ok(rows)
    }
}

/// Digits, whatever the bytes are: there is nothing in them to be taken for SQL.
fn literal(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => format!("x'{}'", hex::encode(bytes)),
        number_or_null => number_or_null.as_sql(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_digits_in_their_places() {
        let values = [b"a'?;".as_slice().into(), 7.into(), Value::NULL, "".into()];
        let script = Script::default()
            .then("DO ?, ? + 1, ?, ?", &values)
            .then("COMMIT", &[]);
        assert_eq!(script.0, "DO x'61273f3b', 7 + 1, NULL, x'';COMMIT;");
    }
}
