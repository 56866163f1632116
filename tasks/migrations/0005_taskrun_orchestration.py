import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("orchestrations", "0001_initial"),
        ("tasks", "0004_task_changed_by"),
    ]

    operations = [
        migrations.AddField(
            model_name="taskrun",
            name="orchestration",
            field=models.ForeignKey(
                null=True,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="runs",
                to="orchestrations.orchestration",
            ),
        ),
    ]
