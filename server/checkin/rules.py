"""What a report means: sameness, where it counts. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from server import recording

STATUSES = ("safe", "need_help", "away")
# States in which an alert has been opened, so that answers move its counts.
COUNTING = frozenset({"open", "closed", "expired"})


class Place(msgspec.Struct, frozen=True):
    """Where a report was made: degrees, and metres of accuracy."""

    lat: float
    lon: float
    accuracy_m: float | None


class Report(msgspec.Struct, frozen=True):
    """One accepted report on its way to the record. Times are the phone's, not yet corrected."""

    checkin_id: UUID
    person_id: int
    person_ref: str
    status: str
    at: datetime
    sent_at: datetime | None
    alert_id: UUID | None
    place: Place | None
    note: str | None
    battery: int | None
    reporter: str
    actor: str
    body_hash: bytes

    @property
    def report_id(self) -> UUID:
        """Its id, by the name that reports of every kind share."""
        return self.checkin_id


class Question(msgspec.Struct, frozen=True):
    """An alert that may be answered: what decides whether a report counts in it."""

    alert_id: UUID
    kind: str
    exercise: bool
    state: str
    counts_from: datetime | None
    closed_at: datetime | None

    @property
    def ended(self) -> bool:
        """Closed or expired: answers still count, marked late."""
        return self.state in ("closed", "expired")


class Answer(msgspec.Struct, frozen=True):
    """The report that stands for one person in one alert, out of one batch."""

    alert_id: UUID
    person_id: int
    status: str
    event_at: datetime
    first_at: datetime
    checkin_id: UUID
    late: bool
    reports: int


def body_hash(
    person_ref: str | None,
    status: str,
    at: datetime,
    alert_id: UUID | None,
    place: Place | None,
    note: str | None,
) -> bytes:
    """What two requests share exactly when they say the same.

    `sent_at` and `battery` differ between tries of one report and are no part of it.
    """
    return recording.body_hash(person_ref, status, at.timestamp(), alert_id, place, note)


def counts_in(report: Report, event_at: datetime, exercise: bool, question: Question) -> bool:
    """Whether a report counts in an alert, given that its population holds the person.

    With `alert_id` in that one only, except need_help, which counts in all roll calls of the
    same kind of world: an exercise answer never counts in an actual alert, nor the reverse.
    A roll call that has ended takes what was said while it was open. Who names an alert answers
    it, whatever a clock that jumped makes of the time: see `stands_at`.
    """
    if question.counts_from is None or question.state not in COUNTING:
        return False
    if question.alert_id == report.alert_id:
        return True
    if report.alert_id is not None and report.status != "need_help":
        return False
    if question.kind != "rollcall" or question.exercise != exercise:
        return False
    if event_at < question.counts_from:
        return False
    return question.closed_at is None or event_at <= question.closed_at


def stands_at(report: Report, event_at: datetime, question: Question) -> datetime:
    """When a report that counts in an alert was made, for that alert.

    Nobody can name an alert before it is there: an earlier time is a phone's clock that jumped
    between writing and sending, or that runs slow and sent no time. It is taken as the start.
    """
    if question.alert_id == report.alert_id and question.counts_from is not None:
        return max(event_at, question.counts_from)
    return event_at


def standing_answers(
    reports: Sequence[tuple[Report, datetime, bool]], questions: Iterable[Question]
) -> list[Answer]:
    """Reduces a batch of (report, event_at, exercise) to one answer for each person and alert.

    The latest event stands; need_help wins a tie, then the greater id: the same order as the
    database's `answer_wins`, so that the order of arrival never matters.
    """
    best: dict[tuple[UUID, int], Answer] = {}
    asked = list(questions)
    for report, event_at, exercise in reports:
        for question in asked:
            if not counts_in(report, event_at, exercise, question):
                continue
            key = (question.alert_id, report.person_id)
            at = stands_at(report, event_at, question)
            new = Answer(
                alert_id=question.alert_id,
                person_id=report.person_id,
                status=report.status,
                event_at=at,
                first_at=at,
                checkin_id=report.checkin_id,
                late=question.ended,
                reports=1,
            )
            best[key] = new if key not in best else _later(best[key], new)
    return list(best.values())


def _later(one: Answer, other: Answer) -> Answer:
    stands = max(one, other, key=lambda a: (a.event_at, a.status == "need_help", a.checkin_id))
    return msgspec.structs.replace(
        stands,
        first_at=min(one.first_at, other.first_at),
        reports=one.reports + other.reports,
    )
