from typing import Any

from django.db import migrations
from django.db.models import F, OuterRef, Subquery

MOVED = (
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
BATCH = 500


def move_into_versions(apps: Any, schema_editor: Any) -> None:
    """Make what each orchestration has its version 1."""
    Orchestration, Version, Packaging = _models(apps)
    for batch in _batches(Orchestration.objects.filter(newest=None)):
        made = {
            row.pk: Version(
                orchestration=row,
                number=1,
                packaged_at=row.updated_at if row.status == "ready" else None,
                created_by_id=row.created_by_id,
                **{name: getattr(row, name) for name in MOVED},
            )
            for row in batch
        }
        Version.objects.bulk_create(made.values())
        for row in batch:
            row.newest = made[row.pk]
            # The moment of the upload, which a new row would take for now.
            Version.objects.filter(pk=row.newest.pk).update(created_at=row.created_at)
        Orchestration.objects.bulk_update(batch, ["newest"])
    newest = Orchestration.objects.filter(pk=OuterRef("orchestration")).values("newest")
    Packaging.objects.filter(version=None).update(version=Subquery(newest))


def move_back(apps: Any, schema_editor: Any) -> None:
    """Let each orchestration have what its newest version has; older ones are lost."""
    Orchestration, _, Packaging = _models(apps)
    for batch in _batches(Orchestration.objects.all()):
        for row in batch:
            for name in MOVED:
                setattr(row, name, getattr(row.newest, name))
        Orchestration.objects.bulk_update(batch, MOVED)
    of_version = Packaging.objects.filter(pk=OuterRef("pk")).values("version__orchestration")
    Packaging.objects.update(orchestration=Subquery(of_version))
    Packaging.objects.exclude(version=F("orchestration__newest")).delete()


def _models(apps: Any) -> Any:
    names = ("Orchestration", "Version", "Packaging")
    return [apps.get_model("orchestrations", name) for name in names]


def _batches(rows: Any) -> Any:
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), BATCH):
        batch = rows.model.objects.filter(pk__in=keys[start : start + BATCH])
        yield list(batch.select_related("newest"))


class Migration(migrations.Migration):
    dependencies = [("orchestrations", "0002_make_room_for_versions")]

    operations = [migrations.RunPython(move_into_versions, move_back)]
