"""How accounts are made; what a platform admin can ask of people."""

import logging

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import IntegrityError, transaction

from wallaroo_ui.accounts.models import User

logger = logging.getLogger(__name__)

LONGEST_EMAIL = 150  # It becomes a user name, and those are no longer.


class PersonRefused(Exception):
    """It cannot be done; the text says why."""


def invite_user(*, email: str, password: str | None, by: User) -> User:
    """Make an account whose user name is the e-mail address.

    Without a password nobody can log in to it until an administrator sets one.

    Raises:
        PersonRefused: no good address or password, or somebody has the address already.
    """
    user = make_account(email=email, password=password)
    logger.info("user invited", extra={"user": str(user.pk), "by": str(by.pk)})
    return user


def make_account(
    *, email: str, password: str | None, first_name: str = "", last_name: str = ""
) -> User:
    """Make an account whose user name is the e-mail address.

    Raises:
        PersonRefused: no good address or password, or somebody has the address already.
    """
    email = email.strip()
    user = User(username=email, email=email, first_name=first_name, last_name=last_name)
    try:
        validate_email(email)
        MaxLengthValidator(LONGEST_EMAIL, "It has more than %(limit_value)s characters.")(email)
        if password is not None:
            validate_password(password, user)
    except ValidationError as error:
        raise PersonRefused(" ".join(error.messages)) from error
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        raise PersonRefused(f"Somebody has the e-mail address {email} already.") from error
    return user


def set_active(*, user: User, active: bool, by: User) -> None:
    """Let a person log in, or no longer.

    Raises:
        PersonRefused: nobody can shut themselves out.
    """
    if user.pk == by.pk and not active:
        raise PersonRefused("You cannot deactivate your own account.")
    user.is_active = active
    user.save(update_fields=["is_active"])
    logger.info("user set", extra={"user": str(user.pk), "active": active, "by": str(by.pk)})
