"""The REST API against its own description."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from ninja import Schema

from tests.factories import add_member, make_orchestration, make_run, make_task, make_workspace
from tests.factories import make_user as make_person
from tests.processes import Processes
from wallaroo_ui.accounts import services
from wallaroo_ui.accounts.models import Scope
from wallaroo_ui.api.rest import api
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Role

HERE = Path(__file__).parent


@pytest.mark.engine
@pytest.mark.parametrize("scope", [Scope.READ, Scope.MANAGE])
def test_schemathesis_finds_nothing_undocumented(
    processes: Processes, tmp_path: Path, scope: Scope
) -> None:
    admin = make_person("root", is_superuser=True)
    workspace = make_workspace(admin)
    add_member(workspace, make_person(), Role.VIEWER)
    orchestration = make_orchestration(workspace)
    run = make_run(make_task(orchestration), status=Status.SUCCESS)
    _, token = services.create_api_token(
        user=admin, name="tests", scope=scope, lifetime=timedelta(hours=1), at=timezone.now()
    )
    known = {
        "workspace_id": workspace.pk,
        "orch_id": str(orchestration.pk),
        "orchestration": str(orchestration.pk),
        "task": str(run.task_id),
        "task_id": str(run.task_id),
        "run": str(run.pk),
        "pod_id": str(run.pk),
        "orch_sha": orchestration.newest.sha,
    }
    processes.start_web()

    tried = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run",
            f"{processes.url}/v1/api/openapi.json",
            "--checks=all",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=15",
            f"--header=Authorization: Bearer {token}",
            "--warnings=off",
            "--no-color",
        ],
        cwd=tmp_path,  # It keeps what it found there.
        env=os.environ
        | {
            "PYTHONPATH": str(settings.BASE_DIR),
            "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
            "KNOWN_IDS": json.dumps(known),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_every_object_of_the_description_has_a_name_of_its_own() -> None:
    """Two classes of one name would describe one operation's body by the other's."""
    assert api.get_openapi_schema()["paths"]  # All of them are loaded.
    names = [each.__name__ for each in subclasses(Schema) if "wallaroo_ui.api" in each.__module__]
    assert len(names) == len(set(names)) > 15


def subclasses(parent: type[Schema]) -> Iterator[type[Schema]]:
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)
