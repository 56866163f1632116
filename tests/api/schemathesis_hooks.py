"""Sends ids of what is there in half of the requests, or nearly all would end in 404."""

import json
import os
import random
from typing import Any

import schemathesis

KNOWN: dict[str, Any] = json.loads(os.environ.get("KNOWN_IDS", "{}"))


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    if isinstance(body, dict) and random.random() < 0.5:
        path = context.operation.path
        known = KNOWN | {"id": KNOWN["run" if path.endswith("logs_for_run") else _kind(path)]}
        return {name: known.get(name, value) for name, value in body.items()}
    return body


def _kind(path: str) -> str:
    return "orchestration" if "/orchestration/" in path else "task"
