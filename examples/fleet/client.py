"""What a client sends to a node, over a connection that is kept."""

import http.client
import itertools
import json
import os
import time
from typing import NamedTuple

PATIENCE_SECONDS = 5
NO_ANSWER = 0

_codes = itertools.count()


class Reply(NamedTuple):
    """An answer; `sent` is on the clock of `time.monotonic`, `took` in seconds."""

    status: int
    body: str
    sent: float
    took: float

    @property
    def answered(self):
        return self.sent + self.took

    @property
    def token(self):
        return json.loads(self.body)["token"]


class Client:
    """One connection to one node, for one thread."""

    def __init__(self, address):
        self._connection = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)

    def log_in(self, user):
        """Logs a user in with a fresh code, as the fake WeChat of the node has them."""
        code = f"{user}:{os.getpid()}-{next(_codes)}"
        return self._send("POST", "/login", body=json.dumps({"code": code}))

    def check(self, token):
        return self._send("GET", "/me", token)

    def log_out(self, token):
        return self._send("POST", "/logout", token)

    def metrics(self):
        return self._send("GET", "/metrics")

    def _send(self, method, path, token=None, body=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sent = time.monotonic()
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            status, text = response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            status, text = NO_ANSWER, ""
        return Reply(status, text, sent, time.monotonic() - sent)
