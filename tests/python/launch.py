"""Checks launch data as published packages for Telegram's and VK's mini apps do.

Reads {"telegram": {"token", "bot_id", "public_key": hex, "check": [init data, …]},
"vk": {"app_id", "secure_key", "check": [query, …]}} from stdin. Writes for each init data the
user's id by the token's key and the one by Telegram's own, then for each query the user's id; null
where it is refused.
"""

import base64
import json
import sys
from datetime import timedelta

import telegram_webapp_auth.auth as telegram
import vk_miniapp_auth.auth as vk
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from telegram_webapp_auth.errors import InvalidInitDataError

HOUR = timedelta(hours=1)


def user_of(check):
    try:
        return check().user.id
    except InvalidInitDataError:
        return None


def telegram_users(order):
    # The package knows Telegram's keys only.
    telegram.PROD_PUBLIC_KEY = Ed25519PublicKey.from_public_bytes(bytes.fromhex(order["public_key"]))
    checker = telegram.TelegramAuthenticator(telegram.generate_secret_key(order["token"]))
    for text in order["check"]:
        yield user_of(lambda: checker.validate(text, expr_in=HOUR))
        yield user_of(lambda: checker.validate_third_party(text, order["bot_id"], expr_in=HOUR))


def vk_users(order):
    checker = vk.VKMiniAppAuthenticator(order["app_id"], order["secure_key"])
    for query in order["check"]:
        url = base64.b64encode(f"https://example.com/?{query}".encode()).decode()
        launch = checker.get_verified_launch_params(url)
        yield launch and launch.vk_user_id


def main():
    order = json.load(sys.stdin)
    json.dump([*telegram_users(order["telegram"]), *vk_users(order["vk"])], sys.stdout)


main()
