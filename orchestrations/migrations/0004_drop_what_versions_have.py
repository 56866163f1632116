import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestrations", "0003_move_archives_into_versions")]

    operations = [
        migrations.AlterField(
            model_name="orchestration",
            name="newest",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="orchestrations.version",
            ),
        ),
        migrations.AlterField(
            model_name="packaging",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="packagings",
                to="orchestrations.version",
            ),
        ),
        migrations.RemoveIndex(model_name="packaging", name="orchestrati_orchest_b319d1_idx"),
        migrations.RemoveField(model_name="packaging", name="orchestration"),
        *(
            migrations.RemoveField(model_name="orchestration", name=name)
            for name in (
                "status",
                "archive",
                "file_name",
                "file_size",
                "sha",
                "entry_point",
                "requirements_path",
                "requirements",
                "packaging_notes",
            )
        ),
    ]
