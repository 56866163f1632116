"""Data that was there before there were versions moves into them, and back."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [("orchestrations", "0001_initial"), ("tasks", "0008_index_for_lists")]
AFTER = [
    ("orchestrations", "0004_drop_what_versions_have"),
    ("tasks", "0010_say_which_version_runs_ran"),
]
FIELDS = {
    "file_name": "a.zip",
    "file_size": 7,
    "sha": "0" * 64,
    "archive": "archives/a.zip",
    "entry_point": "job/main.py",
    "requirements_path": "job/requirements.txt",
    "requirements": ["six"],
    "packaging_notes": ["Entry point: job/main.py."],
}


def migrate(targets: list[tuple[str, str]]) -> Any:
    """Bring the database to a state, and return the models of then."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    loader = MigrationExecutor(connection).loader
    moved = {app for app, _ in targets}
    others = [leaf for leaf in loader.graph.leaf_nodes() if leaf[0] not in moved]
    return loader.project_state([*targets, *others]).apps


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_what_was_uploaded_becomes_version_1_and_goes_back() -> None:
    old = migrate(BEFORE)
    workspace = old.get_model("workspaces", "Workspace").objects.create(name="team")
    Orchestration = old.get_model("orchestrations", "Orchestration")
    made = {
        status: Orchestration.objects.create(workspace=workspace, status=status, **FIELDS)
        for status in ("ready", "error", "packaging")
    }
    packaging = old.get_model("orchestrations", "Packaging").objects.create(
        orchestration=made["packaging"]
    )
    task = old.get_model("tasks", "Task").objects.create(orchestration=made["ready"], name="a")
    runs = [
        old.get_model("tasks", "TaskRun").objects.create(
            task=task, orchestration=made["ready"], claimed_at=claimed_at
        )
        for claimed_at in (timezone.now(), None)
    ]

    new = migrate(AFTER)

    for status, orchestration in made.items():
        found = new.get_model("orchestrations", "Orchestration").objects.get(pk=orchestration.pk)
        version = found.newest
        assert (version.orchestration, version.number, version.status) == (found, 1, status)
        assert (version.packaged_at is not None) is (status == "ready")
        assert version.created_at == orchestration.created_at
        assert {name: getattr(version, name) for name in FIELDS} == FIELDS
    moved = new.get_model("orchestrations", "Packaging").objects.get(pk=packaging.pk)
    assert moved.version.orchestration_id == made["packaging"].pk
    TaskRun = new.get_model("tasks", "TaskRun")
    numbers = [TaskRun.objects.get(pk=run.pk).version for run in runs]
    assert [version and version.number for version in numbers] == [1, None]

    older = migrate(BEFORE)

    for status, orchestration in made.items():
        back = older.get_model("orchestrations", "Orchestration").objects.get(pk=orchestration.pk)
        assert {name: getattr(back, name) for name in FIELDS} == FIELDS
        assert back.status == status
    back = older.get_model("orchestrations", "Packaging").objects.get(pk=packaging.pk)
    assert back.orchestration_id == made["packaging"].pk
