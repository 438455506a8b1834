"""What is on record, held against what the phones were told."""

import json
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.promises.crowd import Ledger, Said
from tests.support.seed import Station

_REPORTS = """
    SELECT c.checkin_id::text AS id, p.ref, c.status, c.at, c.event_at, c.received_at, c.note,
           c.lat, c.lon, c.accuracy_m, c.reporter, c.actor
    FROM checkin c JOIN person p USING (operation_id, person_id)
"""
_EVENTS = "SELECT seq, kind, data FROM event ORDER BY seq"
# Counted from the reports alone: nothing here knows latest answers or cells.
_STANDING = """
    SELECT status, count(*)::int AS people FROM (
      SELECT DISTINCT ON (c.person_id) c.person_id, c.status
      FROM checkin c JOIN alert a ON a.alert_id = $1 AND c.event_at >= a.counts_from
      ORDER BY c.person_id, c.event_at DESC, (c.status = 'need_help') DESC, c.checkin_id DESC) s
    GROUP BY status
"""


async def reports(station: Station) -> dict[str, Any]:
    """All check-ins of the operation by id."""
    rows = await station.database.fetch(station.operation_id, _REPORTS)
    found = {r["id"]: r for r in rows}
    assert len(found) == len(rows)
    return found


async def told_in_events(station: Station) -> Counter[str]:
    """How often each check-in stands in the stream's events; numbers must have no gap."""
    rows = await station.database.fetch(station.operation_id, _EVENTS)
    assert [r["seq"] for r in rows] == list(range(1, len(rows) + 1)), "the stream has a gap"
    batches = [json.loads(r["data"])["items"] for r in rows if r["kind"] == "checkin"]
    return Counter(item[0] for items in batches for item in items)


def check_content(said: Said, row: Any) -> None:
    """The row says what the phone said, and what the answer said."""
    place = said.body.get("location") or {}
    assert (row["ref"], row["status"], row["note"]) == (
        said.phone.ref,
        said.body["status"],
        said.body["note"],
    )
    assert row["at"] == datetime.fromisoformat(said.body["at"])
    assert (row["lat"], row["lon"]) == (place.get("lat"), place.get("lon"))
    assert (row["reporter"], row["actor"]) == ("self", f"device:{said.phone.device_id}")
    if said.answer is not None:
        assert (said.answer["id"], said.answer["person"]) == (row["id"], row["ref"])
        assert said.answer["status"] == row["status"]
        assert datetime.fromisoformat(said.answer["event_at"]) == row["event_at"]
        assert datetime.fromisoformat(said.answer["received_at"]) == row["received_at"]


async def lost(station: Station, ledger: Ledger) -> set[str]:
    """Acknowledged reports that are not on record."""
    return ledger.acknowledged().keys() - (await reports(station)).keys()


async def check_reports(
    station: Station, ledger: Ledger, but: Collection[str] = frozenset()
) -> None:
    """Every acknowledged report is there once, with its content; nothing nobody said is.

    `but`: ids of reports that were made by other means than this crowd's.
    """
    rows, events = await reports(station), await told_in_events(station)
    assert events == Counter(rows.keys()), "the stream tells each report exactly once"
    rows = {key: row for key, row in rows.items() if key not in but}
    missing = ledger.acknowledged().keys() - rows.keys()
    assert not missing, f"{len(missing)} acknowledged reports are lost"
    assert not rows.keys() - ledger.said.keys(), "a report nobody made"
    for key, row in rows.items():
        check_content(ledger.said[key], row)


async def check_counts(station: Station, alert_id: UUID) -> dict[str, int]:
    """Kept cells == fresh GROUP BY == counted from the reports; the counts."""
    kept, fresh = await station.cells(alert_id)
    assert kept == fresh, "the kept headcount differs from a fresh one"
    counts: Counter[str] = Counter()
    for _, _, _, status, people in kept:
        counts[status] += people
    rows = await station.database.fetch(station.operation_id, _STANDING, alert_id)
    said = {r["status"]: r["people"] for r in rows}
    accounted = {s: n for s, n in counts.items() if s != "unaccounted"}
    assert accounted == said, "the kept headcount differs from the reports"
    assert sum(counts.values()) == len(station.people)
    return dict(counts)
