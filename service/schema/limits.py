"""The limits of values: for requests, files, sample accounts and the database's constraints."""

from typing import Final, Literal, get_args

Segment = Literal["SMB", "Mid-Market", "Enterprise"]
SEGMENTS: Final[tuple[Segment, ...]] = get_args(Segment)
RenewalRisk = Literal["Low", "Medium", "High"]
RENEWAL_RISKS: Final[tuple[RenewalRisk, ...]] = get_args(RenewalRisk)

NAME_LENGTH: Final = 255
EXTERNAL_ID_LENGTH: Final = 255
INDUSTRY_LENGTH: Final = 100
OWNER_LENGTH: Final = 100
REGION_LENGTH: Final = 50
MODEL_LENGTH: Final = 128

MAX_DOLLARS: Final = 10**12
"""US dollars; the largest ARR or opportunity of one account."""

MAX_SESSION_MINUTES: Final = 10**6
"""Far above any session; it keeps a mean over many days from overflowing."""

NPS_WORST: Final = -100
NPS_BEST: Final = 100

INT4_MAX: Final = 2**31 - 1
INT8_MAX: Final = 2**63 - 1
INT8_MIN: Final = -(2**63)

CONTROL_CHARACTERS: Final = r"\u0001-\u001F\u007F-\u009F"
"""A bracket expression for PostgreSQL's regular expressions. PostgreSQL stores no NUL."""

PRINTABLE: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""A text without control characters, for pydantic."""

NOT_BLANK: Final = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
"""The same, with at least one character that is not a blank."""
