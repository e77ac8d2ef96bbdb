"""The page on which a run can be watched and, if it is interactive, played with."""

import http.server
import json
import sys
import threading
from pathlib import Path

from fleet import NODES
from plot import Plot
from processes import Problem

WINDOW_SECONDS = 90
SESSIONS_SHOWN = 6
PAGE = Path(__file__).with_name("page.html")


class Page:
    """Serves the page of one fleet, on this machine alone."""

    def __init__(self, port):
        try:
            self._server = Server(("127.0.0.1", port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Problem(f"--page-port {port}: {reason}") from None
        self._server.page = self
        self._fleet = None
        self._controls = None
        self._log = []
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def show(self, fleet, controls=None):
        """Shows this fleet; `controls` are there once it may be played with."""
        self._fleet, self._controls = fleet, controls

    def tell(self, line):
        self._log.append(line)

    def close(self):
        self._server.shutdown()

    def state(self):
        state = {"svg": "", "log": self._log[-30:], "controls": False, "sessions": []}
        fleet, controls = self._fleet, self._controls
        if fleet:
            recording = fleet.recording
            until = int(recording.now())
            state["svg"] = Plot(recording, max(0, until - WINDOW_SECONDS), until).svg()
            state["redis"] = fleet.redis_is
        if controls:
            state |= {"controls": True, "sessions": controls.sessions()}
        return state

    def act(self, action):
        if self._controls:
            self._controls.act(**action)


class Controls:
    """What the buttons do."""

    def __init__(self, fleet, tell):
        self._fleet = fleet
        self._tell = tell
        self._lock = threading.Lock()
        self._sessions = []
        self._users = 0

    def sessions(self):
        """The sessions that were made here, and what each node answers to them now."""
        clients = [self._fleet.client(node) for node in range(NODES)]
        return [
            {"user": user, "answers": [client.check(token).status for client in clients]}
            for user, token in self._sessions
        ]

    def act(self, name, node=0, user=None):
        actions = {
            "kill": self._fleet.kill_redis,
            "freeze": self._fleet.freeze_redis,
            "restart": self._fleet.bring_redis_back,
            "log_in": lambda: self._log_in(node),
            "log_out": lambda: self._log_out(node, user),
        }
        with self._lock:
            if name in self._possible():
                actions[name]()

    def _possible(self):
        redis = {"up": {"kill", "freeze"}, "frozen": {"kill", "restart"}, "down": {"restart"}}
        return redis[self._fleet.redis_is] | {"log_in", "log_out"}

    def _log_in(self, node):
        self._users += 1
        user = f"player{self._users}"
        reply = self._fleet.client(node).log_in(user)
        self._say(f"login on node {node + 1}", reply)
        if reply.status == 200:
            self._sessions = [*self._sessions, (user, reply.token)][-SESSIONS_SHOWN:]

    def _log_out(self, node, user):
        token = dict(self._sessions)[user]
        self._say(f"logout on node {node + 1}", self._fleet.client(node).log_out(token))

    def _say(self, what, reply):
        self._fleet.recording.happened(f"{what}: {reply.status}")
        self._tell(f"{what}: {reply.status} in {reply.took * 1000:.1f} ms")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # A port that somebody else has is an error, also where systems would let both have it.
    allow_reuse_port = False

    def handle_error(self, request, client_address):
        # A browser that has gone away is no error.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/":
            self._answer(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif self.path == "/state":
            self._answer(json.dumps(self.server.page.state()).encode(), "application/json")
        else:
            self.send_error(404)

    def do_POST(self):
        # A page of another site cannot send this type without asking first.
        if self.headers.get_content_type() != "application/json":
            self.send_error(415)
            return
        length = int(self.headers.get("Content-Length", 0))
        try:
            self.server.page.act(json.loads(self.rfile.read(length)))
        except (KeyError, TypeError, ValueError, IndexError, Problem) as error:
            self.send_error(400, explain=str(error))
            return
        self._answer(b"{}", "application/json")

    def _answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
