from django.db import migrations, models


def keep_what_runs_ran_with(apps, schema_editor):
    """Give the runs that exist the arguments and the timeout of their tasks."""
    TaskRun = apps.get_model("tasks", "TaskRun")
    Task = apps.get_model("tasks", "Task")
    task = Task.objects.filter(pk=models.OuterRef("task"))
    TaskRun.objects.update(
        arguments_json=models.Subquery(task.values("arguments_json")[:1]),
        timeout_seconds=models.Subquery(task.values("timeout_seconds")[:1]),
    )


class Migration(migrations.Migration):

    dependencies = [("tasks", "0002_schedules_continuous_policies_and_ledger")]

    operations = [migrations.RunPython(keep_what_runs_ran_with, migrations.RunPython.noop)]
