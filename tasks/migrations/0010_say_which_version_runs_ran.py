from typing import Any

from django.db import migrations
from django.db.models import OuterRef, Subquery


def say_which_version(apps: Any, schema_editor: Any) -> None:
    """Note on what has started that it ran the only version there was."""
    TaskRun = apps.get_model("tasks", "TaskRun")
    Orchestration = apps.get_model("orchestrations", "Orchestration")
    only = Orchestration.objects.filter(pk=OuterRef("orchestration")).values("newest")
    TaskRun.objects.filter(version=None, claimed_at__isnull=False).update(version=Subquery(only))


class Migration(migrations.Migration):
    dependencies = [("tasks", "0009_versions_of_tasks_and_runs")]

    operations = [migrations.RunPython(say_which_version, migrations.RunPython.noop)]
