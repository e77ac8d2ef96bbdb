"""Stands before a Redis server and runs scripts in Lua 5.4, as Dragonfly does.

Reads {"server": port, "twin": port} from stdin, writes its own port as a line to stdout, and ends with
its parent. What a script calls goes to the server. The same script is run by the twin itself, in its Lua
5.1, on the same data and at the same time. Where the answers or what is then under the keys differ by
one byte, the script's caller gets an error.

The worst of hosts: integers that commands answer are floats to scripts, floats are written as Lua 5.4
writes them, and there is no `bit`, no `struct` and no `unpack`.
"""

import hashlib
import json
import socket
import socketserver
import sys
import threading
import time

from lupa.lua54 import LuaError, LuaRuntime

# Scripts are atomic, and so is all else: one command at a time.
TURN = threading.RLock()
WRITES = {b"SET", b"SETRANGE", b"DEL", b"ZADD", b"ZREM", b"RPUSH", b"FLUSHALL"}


class Refused(Exception):
    """A server's error."""


class Connection:
    """Commands to a server, and answers as bytes or as values."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.socket.makefile("rb")

    def raw(self, *words):
        self.socket.sendall(encoded(words))
        return frame(self.answers)

    def ask(self, *words):
        return value(self.raw(*words))


def encoded(words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def frame(file):
    """One answer, as it came."""
    line = file.readline()
    if not line:
        raise EOFError
    kind, length = line[:1], line[1:-2]
    if kind in b"$=!" and length != b"-1":
        return line + file.read(int(length) + 2)
    if kind in b"*~>%" and length != b"-1":
        items = int(length) * (2 if kind == b"%" else 1)
        return line + b"".join(frame(file) for _ in range(items))
    return line


def value(answer):
    """Reads an answer over RESP2: no more than that is asked in scripts."""
    at = 0

    def read():
        nonlocal at
        end = answer.index(b"\r\n", at)
        kind, text = answer[at : at + 1], answer[at + 1 : end]
        at = end + 2
        if kind == b"-":
            raise Refused(text.decode())
        if kind == b":":
            return int(text)
        if kind == b"+":
            return text
        if int(text) < 0:
            return None
        if kind == b"$":
            at += int(text) + 2
            return answer[at - int(text) - 2 : at - 2]
        return [read() for _ in range(int(text))]

    return read()


class Scripts:
    """Runs scripts here, and in the twin."""

    def __init__(self, order):
        self.server, self.twin = Connection(order["server"]), Connection(order["twin"])
        self.texts, self.now = {}, 0
        self.compared, self.differences = 0, []
        self.lua = LuaRuntime(encoding=None, unpack_returned_tuples=True)
        call, pcall = self.lua.execute(
            b"""
            local ask = ...
            local function call(...)
              local answer, err = ask(...)
              if err then error({ err = err }) end
              return answer
            end
            local function pcall(...)
              local answer, err = ask(...)
              return err and { err = err } or answer
            end
            return { call, pcall }
            """,
            self.command,
        ).values()
        names = self.lua.globals()
        names[b"redis"] = self.lua.table_from({b"call": call, b"pcall": pcall})

    def command(self, *words):
        """Runs a command of a script; returns its answer and its error."""
        words = [written(word) for word in words]
        if words[0] == b"TIME":
            return self.table(self.clock()), None
        if words[0] == b"PTTL":
            till = self.server.ask(b"PEXPIRETIME", words[1])
            return float(till if till < 0 else till - self.now // 1000), None
        if words[0] == b"ZRANDMEMBER":
            words = [b"ZRANGE", words[1], b"0", b"%d" % (int(words[2]) - 1)]
        try:
            return self.pushed(self.server.ask(*words)), None
        except Refused as error:
            return None, str(error).encode()

    def clock(self):
        seconds, rest = divmod(self.now, 1_000_000)
        return [b"%d" % seconds, b"%d" % rest]

    def table(self, items):
        return self.lua.table_from(items)

    def pushed(self, answer):
        """An answer as a script finds it."""
        if answer is None:
            return False
        if isinstance(answer, list):
            return self.table([self.pushed(item) for item in answer])
        return float(answer) if isinstance(answer, int) else answer

    def run(self, words):
        """Runs what EVAL or EVALSHA names, and returns the answer."""
        name, script, count, *rest = words
        if name == b"EVAL":
            self.texts[hashlib.sha1(script).hexdigest().encode()] = script
        else:
            script = self.texts.get(script)
            if script is None:
                return b"-NOSCRIPT No matching script.\r\n"
        keys, arguments = rest[: int(count)], rest[int(count) :]
        self.now = time.time_ns() // 1000
        here = self.run_here(script, keys, arguments)
        there = self.run_there(script, keys, arguments)
        self.compared += 1
        if here != there:
            return self.differs(f"{script[-200:]} answers {here}, not {there}")
        for key in keys:
            one, other = kept(self.server, key), kept(self.twin, key)
            if one != other:
                return self.differs(f"{script[-200:]} leaves {one} under {key}, not {other}")
        return here

    def differs(self, what):
        self.differences.append(what)
        return b"-ERR %s\r\n" % what.encode()

    def verdict(self):
        """How many runs came to the same, or what did not."""
        if self.differences:
            return b"-ERR %s\r\n" % " ".join(self.differences).encode()
        return b":%d\r\n" % self.compared

    def run_here(self, script, keys, arguments):
        names = self.lua.globals()
        names[b"KEYS"], names[b"ARGV"] = self.table(keys), self.table(arguments)
        try:
            return answer_of(self.lua.execute(script))
        except LuaError as error:
            return b"-ERR %s\r\n" % str(error).encode().replace(b"\n", b" ")

    def run_there(self, script, keys, arguments):
        # What depends on the time, or on luck, has to be the same.
        for what, instead in (
            (b"redis.call('TIME')", b"{ '%s', '%s' }" % tuple(self.clock())),
            (b"redis.call('PTTL', KEYS[at])", b"left_until(redis.call('PEXPIRETIME', KEYS[at]))"),
            (b"redis.call('PTTL', KEYS[index])", b"left_until(redis.call('PEXPIRETIME', KEYS[index]))"),
            (b"redis.call('ZRANDMEMBER', KEYS[2], SAMPLE)", b"redis.call('ZRANGE', KEYS[2], 0, SAMPLE - 1)"),
            (b"redis.call('ZRANDMEMBER', KEYS[index], SAMPLE)", b"redis.call('ZRANGE', KEYS[index], 0, SAMPLE - 1)"),
        ):
            script = script.replace(what, instead)
        left_until = b"local function left_until(till) return till < 0 and till or till - %d end\n"
        script = left_until % (self.now // 1000) + script
        return self.twin.raw(b"EVAL", script, b"%d" % len(keys), *keys, *arguments)




def kept(server, key):
    """What is under a key, and until when; a hash is in no order."""
    till = server.raw(b"PEXPIRETIME", key)
    if server.ask(b"TYPE", key) == b"hash":
        fields = iter(server.ask(b"HGETALL", key))
        return sorted(zip(fields, fields)), till
    return server.raw(b"DUMP", key), till


def written(word):
    """An argument of a command as Lua 5.4 writes it."""
    if isinstance(word, float):
        text = "%.14g" % word
        return (text if set(text) - set("-0123456789") else text + ".0").encode()
    return b"%d" % word if isinstance(word, int) else word


def answer_of(result):
    """What a script returns, on the wire. A float stays one: RESP2 has none, and nobody understands it."""
    if result is None or result is False:
        return b"$-1\r\n"
    if isinstance(result, (bool, int)):
        return b":%d\r\n" % result
    if isinstance(result, float):
        return b",%r\r\n" % result
    if isinstance(result, bytes):
        return b"$%d\r\n%s\r\n" % (len(result), result)
    for kind, sign in ((b"err", b"-"), (b"ok", b"+")):
        if result[kind] is not None:
            return sign + result[kind] + b"\r\n"
    items = []
    while result[len(items) + 1] is not None:
        items.append(answer_of(result[len(items) + 1]))
    return b"*%d\r\n" % len(items) + b"".join(items)


class Client(socketserver.StreamRequestHandler):
    """A client's connection, and the one to the server that belongs to it."""

    disable_nagle_algorithm = True

    def handle(self):
        self.upstream = Connection(ORDER["server"])
        self.answered, self.is_over = threading.Semaphore(0), False
        threading.Thread(target=self.pass_answers_on, daemon=True).start()
        try:
            while True:
                words = value(frame(self.rfile))
                with TURN:
                    self.answer(words)
        except (EOFError, OSError):
            self.upstream.socket.close()

    def answer(self, words):
        name = words[0].upper()
        if name in (b"EVAL", b"EVALSHA"):
            self.wfile.write(SCRIPTS.run([name, *words[1:]]))
        elif name == b"COMPARED":
            self.wfile.write(SCRIPTS.verdict())
        else:
            if name in WRITES:
                SCRIPTS.twin.raw(*words)
            self.upstream.socket.sendall(encoded(words))
            if self.is_over:
                raise EOFError
            # What confirms a subscription is a push.
            if name != b"SUBSCRIBE":
                self.answered.acquire()

    def pass_answers_on(self):
        try:
            while True:
                answer = frame(self.upstream.answers)
                self.wfile.write(answer)
                if not answer.startswith(b">"):
                    self.answered.release()
        except (EOFError, OSError, ValueError):
            self.is_over = True
            self.answered.release()
            self.connection.close()


class Host(socketserver.ThreadingTCPServer):
    daemon_threads = True


ORDER = json.loads(sys.stdin.readline())
SCRIPTS = Scripts(ORDER)
with Host(("127.0.0.1", 0), Client) as host:
    print(host.server_address[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), host.shutdown()), daemon=True).start()
    host.serve_forever()
