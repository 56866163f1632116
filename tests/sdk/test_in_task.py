"""The SDK inside a run: what a script of a task finds, and how it calls back."""

import json
from typing import Any

import pytest

from tests.sdk.conftest import ended, new_name, ready, text_of, upload

pytestmark = pytest.mark.engine

# Whatever kind of login a notebook asks for, in a task it is the task's own.
SCRIPT = """
import json, os, pathlib
import wallaroo

wl = wallaroo.Client(auth_type="sso")
task = wl.get_task_by_id(os.environ["WALLAROO_TASK_ID"])
found = {
    "in_task": wl.in_task(),
    "arguments": wl.task_args(),
    "whoami": [wl.auth.user_email(), wl.auth.user_id()],
    "orchestrations": [each.id() for each in wl.list_orchestrations()],
    "details": wl.get_connection(wl.task_args()["connection_name"]).details(),
    "myself": [task.name(), task.status(), [run._status for run in task.last_runs()]],
}

cache = pathlib.Path.home() / ".cache/wallaroo_sdk/auth/keycloak.json"
login = json.loads(cache.read_text())
cache.write_text(json.dumps(login | {"expiry": 0, "access_token": "worn out"}))
again = wallaroo.Client()
found["after the token has run out"] = [
    [client.auth.user_email(), "worn out" in client.auth.auth_header()["Authorization"],
     task.id() in [each.id() for each in client.list_tasks()]]
    for client in (wl, again, wl, again)
]
print(json.dumps(found))
"""


def test_a_script_in_a_task_has_its_arguments_and_its_person_s_rights(
    ann: Any, workspace: Any
) -> None:
    orchestration = ready(upload(ann, SCRIPT))
    name, details = new_name("connection"), {"host": "https://example.com", "token": "a secret"}
    ann.create_connection(name, "HTTP", details)
    workspace.add_connection(name)
    arguments = {"connection_name": name, "number": 3.5, "nested": {"list": [1, None]}}

    run = ended(orchestration.run_once("itself", arguments))

    assert run._status == "success"
    found = json.loads(text_of(run)[-1])
    assert found["in_task"] is True
    assert found["arguments"] == arguments
    assert found["whoami"] == ["ann@example.com", ann.auth.user_id()]
    assert orchestration.id() in found["orchestrations"]
    assert found["details"] == details
    assert found["myself"] == ["itself", "started", ["running"]]
    # The SDK fetches a new token for each call, by the same refresh token again and again.
    assert found["after the token has run out"] == [["ann@example.com", False, True]] * 4


def test_a_client_outside_is_in_no_task(ann: Any) -> None:
    assert ann.in_task() is False


def test_the_sample_that_a_new_server_has_runs(admin: Any) -> None:
    quickstart = admin.get_workspace("quickstart")
    [donuts] = admin.list_orchestrations(workspace_id=quickstart.id())
    ready(donuts)

    task = donuts.run_once("order", {"donuts": 2, "glaze": "maple"})

    assert "Receipt: 2 x 1.25 = 2.50. Enjoy!" in text_of(ended(task))
