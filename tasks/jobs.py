"""What django-q2 calls by name. A job may run twice or never: services see to that."""

from django.utils import timezone

from tasks import launching, retention, stopping
from wallaroo_ui.executions.models import Node
from wallaroo_ui.executions.services import this_node


def launch_runs() -> int:
    """Start the runs that wait."""
    return launching.launch_runs()


def conclude_kills() -> int:
    """Bring tasks that are being stopped to their end."""
    return stopping.conclude_kills(at=timezone.now())


def clean_up() -> dict[str, int]:
    """Delete what is to be kept no longer."""
    return retention.clean_up(at=timezone.now())


def report_cluster() -> None:
    """Show that this node's cluster takes jobs and carries them out."""
    Node.objects.filter(pk=this_node().pk).update(cluster_seen_at=timezone.now())
