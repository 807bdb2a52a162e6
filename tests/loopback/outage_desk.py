"""A utility with one partner that has a standing subscription to outages, for head-ends that run as processes; its field's control port."""

import json
import urllib.request
from typing import Any

_SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "{database}"
key_file = "headend.key"
field = {{ port = 0 }}
routers = {{ poll = false }}
{choices}

[[utilities.partners]]
user_id = "cis"
password = "s3cret-word"

[utilities.partners.notifications]
response_networks = ["127.0.0.0/8"]

[[utilities.partners.notifications.subscriptions]]
name = "desk"
url = "http://127.0.0.1:{port}/any"
notifications = ["ODEventNotification"]
"""


def desk_settings(port: int, choices: str, database: str = "sqlite:///headend.db") -> str:
    """Settings of a utility that tells a server at `port`; `choices` are further lines of the utility."""
    return _SETTINGS.format(port=port, choices=choices, database=database)


def tell_emulator(control: str, path: str, body: dict[str, Any]) -> Any:
    """POST to the control port of an emulated field; what it answers."""
    with urllib.request.urlopen(urllib.request.Request(f"{control}/{path}", data=json.dumps(body).encode())) as answer:
        return json.loads(answer.read() or b"null")
