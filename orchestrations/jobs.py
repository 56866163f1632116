"""What django-q2 calls by name. A job may run twice or never: services see to that."""

from orchestrations import services


def launch_packagings() -> int:
    """Start the packagings that wait."""
    return services.launch_packagings()
