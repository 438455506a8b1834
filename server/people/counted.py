"""A person of an alert as lists show her: the answer that stands, and how she can be reached."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from server.people.headcount import AnyStatus
from server.people.messages import AreaName

Reach = Literal["push", "sms", "email", "warden", "none"]


class ReportedBy(msgspec.Struct, frozen=True):
    """Who said it: the person, family, a warden, an operator; a text, with its code or signature
    (`sms`) or without (`sms_unverified`); her satellite messenger (`satellite`), or one that was
    not known to be hers (`satellite_unverified`)."""

    kind: Literal[
        "self", "family", "warden", "operator", "sms", "sms_unverified", "satellite",
        "satellite_unverified",
    ]  # fmt: skip
    name: str | None = None


class AlertPerson(msgspec.Struct, frozen=True):
    """A person of an alert. `added`: why, where she was not in the audience. `expected`: where,
    as of the alert's freezing. `code_locked`: she can't answer by text any more, after wrong
    codes; ask her."""

    ref: str
    name: str
    category: str
    area: AreaName
    agency: str
    status: AnyStatus
    event_at: datetime | None
    received_at: datetime | None
    late: bool
    note: str | None
    reported_by: ReportedBy | None
    reach: Reach
    sponsor: str | None
    phone: str | None
    added: str | None
    expected: Literal["here", "elsewhere"]
    code_locked: bool = False


def alert_person(row: Any, reach: Reach) -> AlertPerson:
    """From a row of the same names, with area_code, area_name, reporter and reporter_name."""
    by = row["reporter"]
    return AlertPerson(
        ref=row["ref"],
        name=row["name"],
        category=row["category"],
        area=AreaName(row["area_code"], row["area_name"]),
        agency=row["agency"],
        status=row["status"],
        event_at=row["event_at"],
        received_at=row["received_at"],
        late=row["late"],
        note=row["note"],
        reported_by=ReportedBy(by, row["reporter_name"]) if by else None,
        reach=reach,
        sponsor=row["sponsor"],
        phone=row["phone"],
        added=row["added"],
        expected=row["expected"],
        code_locked=bool(row.get("code_locked")),
    )
