"""The path parameter that identifies an account."""

from typing import Annotated

from fastapi import Path

from service.errors import NotFoundError
from service.schema import limits

AccountId = Annotated[int, Path(ge=limits.INT8_MIN, le=limits.INT8_MAX)]


def no_account(account_id: int) -> NotFoundError:
    return NotFoundError(f"There is no account {account_id}.")
