"""What the SDK's lists cost: 1,000 orchestrations, each with a task of ten runs.

    python -m benchmarks.lists [ORCHESTRATIONS]

Over HTTP, one after the other, as a notebook does it. The floor is the smallest request that
needs a token: GraphQL's `{ __typename }`.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import timedelta

from benchmarks.engine import engine, packaged
from benchmarks.trigger import percentile

ROUNDS = 30
RUNS = 10


def main(count: int) -> None:
    with engine():
        from django.conf import settings
        from django.db import transaction
        from django.utils import timezone

        from orchestrations.models import Orchestration, Version
        from tasks.models import Task, TaskRun
        from wallaroo_ui.accounts import tokens
        from wallaroo_ui.accounts.models import User

        url = f"http://127.0.0.1:{settings.PORT}"
        first = packaged("print('hello')\n")
        User.objects.update(is_superuser=True)
        user = User.objects.get()
        fields = {
            name: getattr(first.newest, name)
            for name in ("archive", "file_name", "file_size", "sha", "entry_point", "packaged_at")
        }
        orchestrations = [
            Orchestration(
                workspace=first.workspace, name=f"orchestration {number}", created_by=user
            )
            for number in range(count - 1)
        ]
        versions = [
            Version(**fields, orchestration=each, number=1, status="ready", created_by=user)
            for each in orchestrations
        ]
        for each, version in zip(orchestrations, versions, strict=True):
            each.newest = version
        with transaction.atomic():
            Orchestration.objects.bulk_create(orchestrations)
            Version.objects.bulk_create(versions)
        tasks = Task.objects.bulk_create(
            Task(orchestration=each, name=each.name, arguments_json='{"a": 1}', created_by=user)
            for each in (first, *orchestrations)
        )
        now = timezone.now()
        TaskRun.objects.bulk_create(
            TaskRun(
                task=task,
                orchestration_id=task.orchestration_id,
                status="success",
                queued_at=now,
                started_at=now,
                ended_at=now,
            )
            for task in tasks
            for _ in range(RUNS)
        )
        token = tokens.access_token(user, lifetime=timedelta(hours=1))

        def post(path: str, body: object) -> Callable[[], int]:
            def send() -> int:
                request = urllib.request.Request(
                    f"{url}{path}", json.dumps(body).encode(), {"Authorization": f"Bearer {token}"}
                )
                with urllib.request.urlopen(request, timeout=60) as response:
                    return len(response.read())

            return send

        floor = 0.0
        for name, send in (
            ("floor", post("/v1/graphql", {"query": "{ __typename }"})),
            ("one task", post("/v1/api/task/get_by_id", {"id": str(tasks[0].pk)})),
            ("list_tasks()", post("/v1/api/task/list", {})),
            ("list_orchestrations()", post("/v1/api/orchestration/list_all", {})),
        ):
            send()
            times, size = [], 0
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                size = send()
                times.append(time.perf_counter() - begun)
            p50, p95 = percentile(times, 0.5), percentile(times, 0.95)
            floor = floor or p50
            print(
                f"{name:22} p50 {p50 * 1000:7.1f} ms   p95 {p95 * 1000:7.1f} ms   "
                f"{p50 / floor:6.1f} x the floor   {size / 1000:8.1f} kB"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
