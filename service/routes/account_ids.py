"""The account that a path names."""

from typing import Annotated

from fastapi import Path

from service import bounds
from service.errors import NotFoundError

AccountId = Annotated[int, Path(ge=bounds.INT8_MIN, le=bounds.INT8_MAX)]


def no_account(account_id: int) -> NotFoundError:
    return NotFoundError(f"There is no account {account_id}.")
