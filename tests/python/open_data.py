"""Encrypts and signs as a platform does, with random keys.

Reads {"count": how many of each, "appid": …, "timestamp": …} from stdin, and writes a list of
{"form", "session_key", "encrypted_data", "iv", "text", "reason", "raw_data", "raw_signature", "message", "signature"}:
`reason` is null where the data should open to `text`.
"""

import base64
import hashlib
import hmac
import json
import secrets
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7


def encrypt(key, iv, data):
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def padded(text):
    padder = PKCS7(128).padder()
    return padder.update(text.encode()) + padder.finalize()


def encoded(data):
    return base64.b64encode(data).decode()


def broken_into_lines(text):
    return "".join(text[at : at + 64] + "\r\n" for at in range(0, len(text), 64))


# How base64 comes from the field.
FORMS = {
    "as given": lambda text: text,
    "url-safe": lambda text: text.replace("+", "-").replace("/", "_"),
    "without padding": lambda text: text.rstrip("="),
    "url-safe without padding": lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
    "spaces for +": lambda text: text.replace("+", " "),
    "broken into lines": broken_into_lines,
    "trailing white space": lambda text: text + " \n",
    "percent-encoded": lambda text: text[:-2] + "%3D",
}


def watermarked(appid, timestamp, filler):
    data = {"nickName": "张三🙂" + "x" * filler, "watermark": {"appid": appid, "timestamp": timestamp}}
    return json.dumps(data, ensure_ascii=filler % 2 == 0)


def case(name, form, key, iv, data, text, reason):
    session_key = encoded(key)
    raw_data = json.dumps({"nickName": secrets.token_hex(8) + "张三"}, ensure_ascii=False)
    message = secrets.token_urlsafe(secrets.randbelow(40))
    raw_signature = hashlib.sha1((raw_data + session_key).encode()).hexdigest()
    return {
        "form": name,
        "session_key": session_key,
        "encrypted_data": form(encoded(data)),
        "iv": form(encoded(iv)),
        "text": text,
        "reason": reason,
        "raw_data": raw_data,
        "raw_signature": raw_signature,
        "message": message,
        "signature": hmac.new(session_key.encode(), message.encode(), hashlib.sha256).hexdigest(),
    }


def damaged(appid, timestamp, filler):
    """What should not open: the name, the plain bytes, and the reason."""
    right = padded(watermarked(appid, timestamp, filler))
    yield "another app", padded(watermarked(appid + "x", timestamp, filler)), "undecryptable"
    yield "no watermark", padded('{"nickName":"%s"}' % ("x" * filler)), "undecryptable"
    yield "no JSON", padded("x" * (filler + 1)), "undecryptable"
    yield "no object", padded('["%s"]' % ("x" * filler)), "undecryptable"
    # As much as it says, but one of the bytes is another: the text itself is whole.
    text = watermarked(appid, timestamp, filler)
    text += " " * (-len(text.encode()) % 16)
    yield "wrong padding", text.encode() + bytes([16] * 7 + [15] + [16] * 8), "undecryptable"
    yield "no padding", text.encode(), "undecryptable"
    yield "last block missing", right[:-16], "undecryptable"
    yield "stale", padded(watermarked(appid, timestamp - 601, filler)), "stale"
    yield "from the future", padded(watermarked(appid, timestamp + 301, filler)), "from_future"


def cases(order):
    appid, timestamp = order["appid"], order["timestamp"]
    for filler in range(order["count"]):
        for name, form in FORMS.items():
            text = watermarked(appid, timestamp, filler)
            reason = "bad_base64" if name == "percent-encoded" else None
            key, iv = secrets.token_bytes(16), secrets.token_bytes(16)
            yield case(name, form, key, iv, encrypt(key, iv, padded(text)), text, reason)
        for name, data, reason in damaged(appid, timestamp, filler):
            key, iv = secrets.token_bytes(16), secrets.token_bytes(16)
            yield case(name, FORMS["as given"], key, iv, encrypt(key, iv, data), None, reason)


json.dump(list(cases(json.load(sys.stdin))), sys.stdout)
