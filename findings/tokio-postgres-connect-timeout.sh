#!/usr/bin/env bash
# Version: tokio-postgres 0.7.18, run with cargo 1.95.0; libpq as in PyPI psycopg2-binary 2.9.13.
# First guess: connect_timeout bounds the connecting, as in libpq, and with two hosts in the URL the second is tried after it:
#   a server that hangs is passed by.
# Behaviour: it bounds the TCP connection alone. A first host that accepts and does not answer (a process that is stopped, a
#   disk that hangs, a pooler or balancer with nobody behind it) holds connect() up without an end, and the second host is
#   never asked. In libpq the same URL is connected to the second after connect_timeout. So a time-out of one's own is
#   needed around each host, not around connect(): that one ends with none of them.
# How: Python listens in the place of both servers. connect() is given up after 8 s, which is four times the time-out.
# Output seen:
#   tokio-postgres, the first refuses: after 0 s connected to the second; the second was asked 1x
#   tokio-postgres, the first accepts and is silent: after 8 s still connecting; the second was asked 0x
#   libpq, the first accepts and is silent: after 2 s connected to the second; the second was asked 1x
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; mkdir src
cat > Cargo.toml <<'C'
[package]
name = "t"
version = "0.1.0"
edition = "2024"
[dependencies]
tokio = { version = "1", features = ["macros", "rt", "time"] }
tokio-postgres = "=0.7.18"
C
cat > src/main.rs <<'R'
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).unwrap();
    let connecting = tokio_postgres::connect(&url, tokio_postgres::NoTls);
    match tokio::time::timeout(Duration::from_secs(8), connecting).await {
        Ok(Ok(_)) => println!("connected to the second"),
        Ok(Err(error)) => println!("error: {error}"),
        Err(_) => println!("still connecting"),
    }
}
R
cat > t.py <<'PY'
import psycopg2, socket, subprocess, sys, threading, time
silent, second, refusing = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
port = {name: each.getsockname()[1] for name, each in (("silent", silent), ("second", second), ("refusing", refusing))}
refusing.close()
asked, held, bad = 0, [], 0
def message(kind, body): return kind + (len(body) + 4).to_bytes(4, "big") + body
settings = {"server_version": "15.18", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "standard_conforming_strings": "on"}
# What a server says first: come in, these are my settings, go on.
greeting = message(b"R", bytes(4)) + b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in settings.items()) + message(b"Z", b"I")
def listen(listener, answers):
    global asked
    while True:
        connection = listener.accept()[0]; held.append(connection)
        if answers: asked += 1; connection.recv(1000); connection.sendall(greeting)
for arguments in (silent, False), (second, True): threading.Thread(target=listen, args=arguments, daemon=True).start()
def rust(url): return subprocess.run([sys.argv[1], url], capture_output=True, text=True).stdout.strip()
def libpq(url):
    try: psycopg2.connect(url); return "connected to the second"
    except psycopg2.Error as error: return f"error: {error}"
def row(name, connect, first, expected, times):
    global asked, bad
    asked = 0
    url = f"postgresql://user@127.0.0.1:{port[first]},127.0.0.1:{port['second']}/db?sslmode=disable&connect_timeout=2"
    start = time.monotonic(); said = connect(url); took = time.monotonic() - start
    print(f"  {name}: after {took:.0f} s {said}; the second was asked {asked}x")
    if (said, asked) != (expected, times): print(f"CHANGED: expected {expected}, {times}x"); bad = 1
row("tokio-postgres, the first refuses", rust, "refusing", "connected to the second", 1)
row("tokio-postgres, the first accepts and is silent", rust, "silent", "still connecting", 0)
row("libpq, the first accepts and is silent", libpq, "silent", "connected to the second", 1)
sys.exit(bad)
PY
{ python3 -m venv v && v/bin/pip install -q --disable-pip-version-check psycopg2-binary==2.9.13 \
    && nice cargo build -q -j1; } || { echo "setup failed"; exit 2; }
v/bin/python t.py target/debug/t; echo "as described"
