from django.db import migrations, models


def fill_orchestration(apps, schema_editor):
    """Tell each run the orchestration of its task."""
    TaskRun = apps.get_model("tasks", "TaskRun")
    Task = apps.get_model("tasks", "Task")
    task = Task.objects.filter(pk=models.OuterRef("task"))
    TaskRun.objects.filter(orchestration=None).update(
        orchestration=models.Subquery(task.values("orchestration")[:1])
    )


class Migration(migrations.Migration):

    dependencies = [("tasks", "0005_taskrun_orchestration")]

    operations = [migrations.RunPython(fill_orchestration, migrations.RunPython.noop)]
