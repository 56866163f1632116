import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

STATUSES = [
    ("pending_packaging", "Waiting for packaging"),
    ("packaging", "Packaging"),
    ("ready", "Ready"),
    ("error", "Packaging failed"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrations", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Version",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=STATUSES, default="pending_packaging", max_length=24
                    ),
                ),
                ("packaged_at", models.DateTimeField(blank=True, null=True)),
                ("archive", models.FileField(max_length=255, upload_to="archives/")),
                ("file_name", models.CharField(max_length=255)),
                ("file_size", models.BigIntegerField()),
                ("sha", models.CharField(db_index=True, max_length=64)),
                ("entry_point", models.CharField(max_length=1024)),
                ("requirements_path", models.CharField(blank=True, max_length=1024)),
                ("requirements", models.JSONField(blank=True, default=list)),
                ("packaging_notes", models.JSONField(blank=True, default=list)),
                ("changes", models.CharField(blank=True, max_length=255)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "orchestration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="orchestrations.orchestration",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("orchestration", "number"), name="version_number"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(status="ready", packaged_at__isnull=False)
                        | models.Q(status="error", packaged_at=None)
                        | models.Q(status__in=["pending_packaging", "packaging"]),
                        name="version_packaged_when_ready",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="orchestration",
            name="newest",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="orchestrations.version",
            ),
        ),
        migrations.AddField(
            model_name="packaging",
            name="version",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="packagings",
                to="orchestrations.version",
            ),
        ),
        migrations.AddIndex(
            model_name="packaging",
            index=models.Index(
                fields=["version", "-queued_at"], name="orchestrati_version_89436d_idx"
            ),
        ),
        # What moves may be missing from now on, so that the way back is open, too.
        migrations.AlterField(
            model_name="packaging",
            name="orchestration",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="packagings",
                to="orchestrations.orchestration",
            ),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="status",
            field=models.CharField(
                choices=STATUSES, default="pending_packaging", max_length=24, null=True
            ),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="archive",
            field=models.FileField(max_length=255, null=True, upload_to="archives/"),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="file_name",
            field=models.CharField(max_length=255, null=True),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="file_size",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="sha",
            field=models.CharField(db_index=True, max_length=64, null=True),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="entry_point",
            field=models.CharField(max_length=1024, null=True),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="requirements_path",
            field=models.CharField(blank=True, max_length=1024, null=True),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="requirements",
            field=models.JSONField(blank=True, default=list, null=True),
        ),
        migrations.AlterField(
            model_name="orchestration",
            name="packaging_notes",
            field=models.JSONField(blank=True, default=list, null=True),
        ),
    ]
