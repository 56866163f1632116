"""Text kept encrypted: each for one owner, under keys that can be changed.

Fernet, which also notices any alteration. The keys are not the server's secrets
themselves but derived from them, apart for each owner: what was sealed for one opens for
no other, so rows of the database cannot be exchanged.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class CannotUnseal(Exception):
    """No key opens it: the key is not there any more, or the text was altered or moved."""


def seal(text: str, *, owner: str) -> str:
    """Encrypt under the newest key."""
    return _all_keys(owner).encrypt(text.encode()).decode()


def unseal(sealed: str, *, owner: str) -> str:
    """Decrypt what was sealed for the same owner, under whichever key.

    Raises:
        CannotUnseal: no key opens it.
    """
    try:
        return _all_keys(owner).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise CannotUnseal("No key opens it.") from None


def is_sealed_under_newest(sealed: str, *, owner: str) -> bool:
    """Tell whether the older keys are not needed for it."""
    try:
        _keys(owner)[0].decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def _all_keys(owner: str) -> MultiFernet:
    return MultiFernet(_keys(owner))


def _keys(owner: str) -> list[Fernet]:
    """Return the keys of one owner, the newest first."""
    return [Fernet(_derived(secret, owner)) for secret in settings.ENCRYPTION_KEYS]


def _derived(secret: str, owner: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=owner.encode())
    return urlsafe_b64encode(derivation.derive(secret.encode()))
