import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrations", "0004_drop_what_versions_have"),
        ("tasks", "0008_index_for_lists"),
    ]

    operations = [
        migrations.AddField(
            model_name="task",
            name="version",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="pinned_tasks",
                to="orchestrations.version",
            ),
        ),
        migrations.AddField(
            model_name="taskrun",
            name="version",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="orchestrations.version",
            ),
        ),
    ]
