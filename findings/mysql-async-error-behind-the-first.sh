#!/usr/bin/env bash
# Versions: mysql_async 0.37.1, run with cargo 1.95.0; MariaDB 10.11.19 (Debian's; any 10.11 will do).
# First guess: of "DO 1; <what fails>" in one query, reading the results one by one, collect() until is_empty(), ends with the
#   error of the second statement; and a statement is answered with its own errors only.
# Behaviour: that loop ends as if all had been done: is_empty() is true where an error waits, and nothing was returned. Left like
#   that, the error comes out of the next query on this connection, as if that had failed; asked once more it is answered.
#   drop_result() at the end, or query_drop() from the start, return the error where it belongs.
# Output seen:
#   collect() until is_empty(): 1 result, no error
#   the next query, SELECT 7: error 1146
#   SELECT 7 once more: 7
#   collect() until is_empty(), then drop_result(): error 1146
#   query_drop(): error 1146
set -euo pipefail
PATH=$PATH:/usr/sbin
found=$(mariadbd --no-defaults --version 2>/dev/null || true)
case $found in *" 10.11."*-MariaDB*) ;;
  *) echo "setup failed: this needs MariaDB 10.11 (Debian 12: apt-get install mariadb-server), and found: ${found:-none}"; exit 2 ;;
esac
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; mkdir src
cat > Cargo.toml <<'C'
[package]
name = "t"
version = "0.1.0"
edition = "2024"
[dependencies]
mysql_async = { version = "=0.37.1", default-features = false, features = ["minimal-rust"] }
tokio = { version = "1", features = ["macros", "rt"] }
C
cat > src/main.rs <<'R'
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, Row};

const TWO: &str = "DO 1; INSERT INTO test.missing VALUES (1)";

fn said<T: std::fmt::Display>(answer: Result<T, Error>) -> String {
    match answer {
        Ok(value) => value.to_string(),
        Err(Error::Server(error)) => format!("error {}", error.code),
        Err(error) => error.to_string(),
    }
}

async fn as_documented(connection: &mut Conn, ends_it: bool) -> Result<String, Error> {
    let mut answers = connection.query_iter(TWO).await?;
    let mut results = 0;
    while !answers.is_empty() {
        let _: Vec<Row> = answers.collect().await?;
        results += 1;
    }
    if ends_it {
        answers.drop_result().await?;
    }
    Ok(format!("{results} result, no error"))
}

async fn seven(connection: &mut Conn) -> Result<String, Error> {
    let seven: Option<u8> = connection.query_first("SELECT 7").await?;
    Ok(seven.map_or("nothing".into(), |seven| seven.to_string()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let socket = std::env::args().nth(1);
    let server = OptsBuilder::default().socket(socket).user(Some("root"));
    let mut connection = Conn::new(server).await.unwrap();
    println!("  collect() until is_empty(): {}", said(as_documented(&mut connection, false).await));
    println!("  the next query, SELECT 7: {}", said(seven(&mut connection).await));
    println!("  SELECT 7 once more: {}", said(seven(&mut connection).await));
    println!("  collect() until is_empty(), then drop_result(): {}", said(as_documented(&mut connection, true).await));
    println!("  query_drop(): {}", said(connection.query_drop(TWO).await.map(|()| "done")));
}
R
nice cargo build -q -j1 || { echo "setup failed"; exit 2; }
as=(); [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chown 65534:65534 "$T"; } # it does not run as root
"${as[@]}" mariadb-install-db --no-defaults --datadir="$T/data" --auth-root-authentication-method=normal >install.log 2>&1
"${as[@]}" mariadbd --no-defaults --datadir="$T/data" --socket="$T/socket" --pid-file="$T/pid" --skip-networking 2>server.log &
server=$!; trap 'kill -9 $server; wait $server 2>/dev/null || true; rm -rf "$T"' EXIT
for _ in $(seq 400); do [ -S socket ] && break; sleep .05; done
target/debug/t "$T/socket" | tee seen
diff seen - <<'S' || { echo "CHANGED"; exit 1; }
  collect() until is_empty(): 1 result, no error
  the next query, SELECT 7: error 1146
  SELECT 7 once more: 7
  collect() until is_empty(), then drop_result(): error 1146
  query_drop(): error 1146
S
echo "as described"
