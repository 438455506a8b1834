"""A small plan and reports of it, for tests of the fold: two legs over a point on the way."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from server.relocation.rules import Said

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CAMP, GATE, BORDER, HAVEN = (UUID(int=n) for n in range(1, 5))
FIRST, SECOND = UUID(int=11), UUID(int=12)
ENDS = {FIRST: (GATE, BORDER), SECOND: (BORDER, HAVEN)}
# vehicles 1 and 2 drive the first leg, 3 and 4 the second
VEHICLES = {UUID(int=21): FIRST, UUID(int=22): FIRST, UUID(int=23): SECOND, UUID(int=24): SECOND}
ONE, TWO, THREE, FOUR = VEHICLES


def said(
    number: int,
    stage: str,
    minute: float,
    *,
    vehicle: UUID | None = None,
    point: UUID | None = None,
    resolution: bool = False,
) -> Said:
    """Report `number` of a minute after noon, with what the plan says of it."""
    leg = VEHICLES[vehicle] if vehicle else None
    start, end = ENDS[leg] if leg else (None, None)
    return Said(
        report_id=UUID(int=1000 + number),
        event_at=NOON + timedelta(minutes=minute),
        stage=stage,
        resolution=resolution,
        vehicle=vehicle,
        leg=leg,
        start=start,
        end=end,
        end_haven=end == HAVEN,
        point=point,
        haven=point == HAVEN,
    )


@st.composite
def reports(draw: st.DrawFn, most: int = 12) -> list[Said]:
    """Any set of reports of one person, many at the same minute."""
    count = draw(st.integers(0, most))
    return [draw(_report(number)) for number in range(count)]


@st.composite
def _report(draw: st.DrawFn, number: int) -> Said:
    stage = draw(
        st.sampled_from(
            (
                *("notified", "ready", "staying", "hibernating"),
                *("at_point", "boarded", "arrived", "accommodated") * 2,
            )
        )
    )
    vehicle = point = None
    if stage == "boarded" or (stage in ("arrived", "accommodated") and draw(st.booleans())):
        vehicle = draw(st.sampled_from(list(VEHICLES)))
    if stage == "at_point" or (stage in ("arrived", "accommodated") and draw(st.booleans())):
        point = draw(st.sampled_from((CAMP, GATE, BORDER, HAVEN)))
    minute = draw(st.integers(0, 30)) / 2
    resolution = draw(st.integers(0, 9)) == 0
    return said(number, stage, minute, vehicle=vehicle, point=point, resolution=resolution)
