"""What a phone is told: its person, household, open alerts, branch; and nothing of others."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from tests.people.house import House

ALERT = """
    WITH incident AS (
      INSERT INTO incident (operation_id, incident_id, title, exercise, opened_by)
      VALUES (current_operation(), $1, 'I', false, 'test')),
    alert AS (
      INSERT INTO alert (operation_id, alert_id, incident_id, kind, severity, mode, audience,
                         title, body, exercise, state, body_sha256, created_by, opened_at,
                         expires_at)
      VALUES (current_operation(), $1, $1, 'rollcall', 'urgent', 'broadcast', '{}', 'Blast',
              'Answer now', false, $2, '', 'test', clock_timestamp(), $4))
    INSERT INTO alert_person (operation_id, alert_id, person_id, area_id, agency_id, category,
                              matched)
    SELECT current_operation(), $1, person_id, area_id, agency_id, category, 'all'
    FROM person WHERE ref = ANY ($3::text[])
"""


async def alert(house: House, state: str, *refs: str, expires: datetime | None = None) -> UUID:
    alert_id = uuid4()
    await house.sql(ALERT, alert_id, state, list(refs), expires)
    return alert_id


async def answer(house: House, alert_id: UUID, ref: str, status: str) -> None:
    await house.sql(
        "UPDATE alert_person SET status = $3, event_at = now(), received_at = now() "
        "WHERE alert_id = $1 AND person_id = (SELECT person_id FROM person WHERE ref = $2)",
        alert_id,
        ref,
        status,
    )


async def test_a_sponsors_phone_shows_her_family_and_their_answers(house: House) -> None:
    phone = await house.device(await house.operator(), "P1")
    open_ = await alert(house, "open", "P1", "P2", "P4")
    await alert(house, "closed", "P1")
    await alert(house, "preparing", "P1")
    await alert(house, "open", "P4")
    await alert(house, "open", "P1", expires=datetime(2020, 1, 1, tzinfo=UTC))
    await answer(house, open_, "P2", "need_help")
    await answer(house, open_, "P4", "safe")
    me = await house.get("/v1/self", phone["token"])
    assert me["person"] == {
        "ref": "P1",
        "name": "Ann Otieno",
        "category": "national",
        "area": {"code": "GIG", "name": "GIG zone"},
        "agency": "Health",
        "language": "en",
    }
    assert me["operation"]["timezone"] == "Africa/Nairobi"
    family = [{"ref": r, "name": n, "category": "family", "role": "family", "may_report": True}
              for r, n in (("P2", "Ben Otieno"), ("P3", "Cleo Otieno"))]  # fmt: skip
    assert me["household"] == family
    (shown,) = me["alerts"]
    assert (shown["id"], shown["title"], shown["answer"]) == (str(open_), "Blast", None)
    (ben,) = shown["household"]  # Cleo is not in this alert
    assert (ben["ref"], ben["answer"]["status"]) == ("P2", "need_help")
    assert me["branch"] == {"node": "N-GIG", "label": "Zone GIG", "members": 3}
    assert (me["watch"], me["panic"]) == (None, None)
    told = datetime.fromisoformat(me["server_time"])
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60


async def test_a_family_members_phone_shows_the_household_but_answers_for_none(
    house: House,
) -> None:
    phone = await house.device(await house.operator(), "P2")
    open_ = await alert(house, "open", "P1", "P2", "P3")
    await answer(house, open_, "P1", "safe")
    await answer(house, open_, "P2", "safe")
    me = await house.get("/v1/self", phone["token"])
    household = [(m["ref"], m["role"], m["may_report"]) for m in me["household"]]
    assert household == [("P1", "sponsor", False), ("P3", "family", False)]
    assert me["alerts"][0]["answer"]["status"] == "safe"
    assert me["alerts"][0]["household"] == []
    assert me["branch"] is None


async def test_a_person_alone_has_no_household(house: House) -> None:
    phone = await house.device(await house.operator(), "P4")
    me = await house.get("/v1/self", phone["token"])
    assert me["household"] == []
    assert me["branch"]["node"] == "N-WES"  # as an alternate


async def test_the_view_is_for_phones_alone(house: House) -> None:
    for role in ("admin", "operator", "auditor"):
        token = await house.operator(role)
        assert (await house.call("GET", "/v1/self", token)).status_code == 403
    assert (await house.call("GET", "/v1/self")).status_code == 401


async def test_namesakes_in_other_operations_never_show(house: House) -> None:
    other = await house.other(furnished=True)
    phone = await house.device(await house.operator(), "P1")
    await alert(other, "open", "P1", "P2")
    me = await house.get("/v1/self", phone["token"])
    assert me["alerts"] == []
    assert len(me["household"]) == 2
    desk = await other.operator()
    answer_ = await house.call("POST", "/v1/enrolments", desk, json={"person_ref": "NONE"})
    assert answer_.status_code == 404
