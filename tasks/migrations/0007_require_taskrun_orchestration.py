import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("tasks", "0006_fill_taskrun_orchestration")]

    operations = [
        migrations.AlterField(
            model_name="taskrun",
            name="orchestration",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="runs",
                to="orchestrations.orchestration",
            ),
        ),
    ]
