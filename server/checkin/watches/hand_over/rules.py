"""What becomes of a convoy that one radio room offers to the next. Pure.

While it is only offered the sender answers for it; from the moment the next room has heard it, that
one does. There are never two, and never none.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

STEP = timedelta(minutes=5)  # from both rooms to the duty desk
DESK = 2  # the last step

# Which verb leads where. What is not here stays as it is: what was settled stays as it was.
TRANSITIONS: dict[str, dict[str, str]] = {
    "hear": {"offered": "heard"},
    "refuse": {"offered": "refused"},
    "withdraw": {"offered": "withdrawn"},
    "end": {"offered": "ended"},
}


class Offer(msgspec.Struct, frozen=True):
    """What of a hand-over decides. `step`: 0 nobody was alarmed, 1 both rooms, 2 the duty desk."""

    hand_over_id: UUID
    watch_id: UUID
    from_area_id: int | None
    to_area_id: int | None
    expect_by: datetime
    state: str
    step: int
    turn_at: datetime | None
    unheard_at: datetime | None


def look(offer: Offer, now: datetime) -> tuple[Offer, str | None]:
    """What a look at an offer that is due brings: both rooms are alarmed, later the duty desk."""
    if offer.state != "offered" or offer.turn_at is None or offer.turn_at > now:
        return offer, None
    if offer.step == 0:
        new = msgspec.structs.replace(offer, step=1, unheard_at=now, turn_at=now + STEP)
        return new, "unheard"
    return msgspec.structs.replace(offer, step=DESK, turn_at=None), "unheard_desk"


def settle(offer: Offer, verb: str) -> Offer | None:
    """The offer after a verb; None where it was settled before and stays as it was."""
    state = TRANSITIONS[verb].get(offer.state)
    return None if state is None else msgspec.structs.replace(offer, state=state, turn_at=None)
