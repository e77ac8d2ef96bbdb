"""Redis and the nodes: real processes on free ports, each with its log in a file."""

import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from client import Client

PROJECT = Path(__file__).resolve().parent.parent.parent
BUILD = ["cargo", "build", "--release", "--all-features", "--example", "axum"]
START_SECONDS = 20
# Below what systems give to outgoing connections: one of those could take the port of a Redis that
# is down.
REDIS_PORTS = range(12_000, 28_000)


class Problem(Exception):
    """Why the fleet cannot run, in words for whoever started it."""


def node_binary():
    """The node's program: `NODE_BINARY`, or the example, built."""
    given = os.environ.get("NODE_BINARY")
    if given:
        if not os.access(given, os.X_OK):
            raise Problem(f"NODE_BINARY: {given} is no program")
        return given
    if not shutil.which("cargo"):
        raise Problem("cargo not found; install Rust, or name a built node in NODE_BINARY")
    print(" ".join(BUILD), flush=True)
    command = [*BUILD, "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise Problem("the node does not build")
    programs = (json.loads(line).get("executable") for line in built.stdout.splitlines())
    return next(program for program in programs if program)


def redis_program():
    """`REDIS_SERVER`, or the first of its names in the path."""
    given = os.environ.get("REDIS_SERVER")
    for name in [given] if given else ["redis-server", "valkey-server"]:
        found = shutil.which(name)
        if found:
            return found
    if given:
        raise Problem(f"REDIS_SERVER: {given} is no program")
    raise Problem(
        "no redis-server or valkey-server found; install one (6.2 or later), "
        "or name it in REDIS_SERVER"
    )


def start(command, log, **options):
    """Starts it where a Ctrl-C in the terminal does not reach it: it is ended in order."""
    try:
        with open(log, "ab") as file:
            outputs = {"stdout": file, "stderr": file} | options
            return subprocess.Popen(command, start_new_session=True, **outputs)
    except OSError as error:
        raise Problem(f"{command[0]}: {error.strerror}") from None


def end(child):
    """Kills it: there is nothing that it has to save."""
    if child:
        child.kill()
        child.wait()


def last_lines(log):
    return "".join(f"\n    {line}" for line in log.read_text().splitlines()[-5:])


class RedisServer:
    """A Redis that keeps what it is told, even if it is killed."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._log = folder / "redis.log"
        self._child = None
        self._command = [redis_program(), "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += ["--save", "", "--appendonly", "yes", "--dir", str(folder)]

    def start(self):
        """Starts it, and returns once it answers."""
        self._child = start(self._command, self._log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise Problem(f"Redis did not start on port {self.port}:{last_lines(self._log)}")
            time.sleep(0.005)

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    def kill(self):
        """As `kill -9` does."""
        end(self._child)
        self._child = None

    def freeze(self):
        """Has it accept connections and never answer."""
        self._child.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._child.send_signal(signal.SIGCONT)


def free_port():
    for port in random.sample(REDIS_PORTS, 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Problem("no free port for Redis")


class Node:
    """The axum example with its sessions in Redis."""

    def __init__(self, number, binary, store, folder):
        self.name = f"node {number}"
        self._log = folder / f"node-{number}.log"
        # Nothing else of the environment: that could point it to the real WeChat.
        environment = {"LISTEN": "127.0.0.1:0", "STORE": store}
        pipe = subprocess.PIPE
        self._child = start([binary], self._log, stdout=pipe, env=environment, text=True)
        self.address = None

    def wait(self):
        """Until it listens, on a port that the system gave it."""
        ready, _, _ = select.select([self._child.stdout], [], [], START_SECONDS)
        line = self._child.stdout.readline() if ready else ""
        if not line.startswith("listening on http://"):
            raise Problem(f"{self.name} did not start:{last_lines(self._log)}")
        self.address = line.split("//")[1].strip()

    def client(self):
        return Client(self.address)

    def end(self):
        end(self._child)


class Load:
    """The process that sends requests; a line per answer comes out of it."""

    def __init__(self, nodes, tokens, folder):
        program = [sys.executable, "-B", str(Path(__file__).with_name("load.py"))]
        pipe = subprocess.PIPE
        log = folder / "load.log"
        self._child = start(program, log, stdin=pipe, stdout=pipe, text=True)
        addresses = [node.address for node in nodes]
        self._child.stdin.write(json.dumps({"nodes": addresses, "tokens": tokens}) + "\n")
        self._child.stdin.flush()

    def answers(self):
        for line in self._child.stdout:
            yield json.loads(line)

    def end(self):
        end(self._child)
