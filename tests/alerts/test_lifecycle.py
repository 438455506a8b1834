"""From the call to the end: closing, cancelling, expiring, reminding, correcting."""

import uuid
from typing import Any

import httpx

from tests.alerts.world import World, alert, world


async def opened(w: World, api: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    body = alert(**more)
    answer = await api.post("/v1/alerts", json=body)
    assert answer.status_code == 201, answer.text
    await w.run_jobs()
    return body


async def test_closing_stops_what_is_unsent_and_freezes_the_counts(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.people(10, phones=4)
        body = await opened(w, api)
        closed = await api.post(f"/v1/alerts/{body['id']}/close")
        assert closed.status_code == 200
        assert closed.json()["state"] == "closed"
        again = await api.post(f"/v1/alerts/{body['id']}/close")
        assert (again.status_code, again.json()) == (200, closed.json())
        assert await w.value("SELECT at_close->>'unaccounted' FROM alert") == "10"
        assert await w.value("SELECT count(*) FROM delivery WHERE state = 'stopped'") == 4
        for verb in ("cancel", "remind"):
            refused = await api.post(f"/v1/alerts/{body['id']}/{verb}")
            assert refused.status_code == 409, verb
        assert len(await w.events("alert")) == 4, "made, prepared, opened, closed"
        assert await w.value("SELECT count(*) FROM audit WHERE action = 'alert.close'") == 1


async def test_an_alert_called_off_before_it_opened_never_opens(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.people(3, phones=3)
        body = alert()
        await api.post("/v1/alerts", json=body)
        assert (await api.post(f"/v1/alerts/{body['id']}/close")).status_code == 409
        off = await api.post(f"/v1/alerts/{body['id']}/cancel")
        assert off.json()["state"] == "cancelled"
        await w.run_jobs()
        assert (await api.get(f"/v1/alerts/{body['id']}")).json()["state"] == "cancelled"
        assert await w.value("SELECT count(*) FROM delivery") == 0


async def test_an_alert_expires_by_the_databases_clock(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.people(2, phones=1)
        body = await opened(w, api, expires_at="2027-01-01T00:00:00Z")
        await w.sql("UPDATE job SET due_at = now() WHERE kind = 'alert.expire'")
        await w.run_jobs()
        assert (await api.get(f"/v1/alerts/{body['id']}")).json()["state"] == "open"
        await w.sql("UPDATE alert SET expires_at = now() - interval '1 second'")
        await w.sql(
            "INSERT INTO job (operation_id, kind, run_key, payload)"
            " VALUES (current_operation(), 'alert.expire', 'x', $1::text::jsonb)",
            f'{{"alert_id": "{body["id"]}"}}',
        )
        await w.run_jobs()
        shown = (await api.get(f"/v1/alerts/{body['id']}")).json()
        assert shown["state"] == "expired"
        assert shown["closed_at"] is not None
        assert await w.value("SELECT state FROM delivery") == "stopped"


async def test_a_reminder_goes_to_the_silent_only(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.people(4, phones=4)
        body = await opened(w, api)
        await w.sql("UPDATE delivery SET state = 'accepted'")
        await w.sql(
            "UPDATE alert_person SET status = 'safe', event_at = now(), first_at = now()"
            " WHERE person_id = (SELECT min(person_id) FROM person)"
        )
        told = (await api.post(f"/v1/alerts/{body['id']}/remind")).json()
        assert told["reminder"] == {"round": 1, "silent": 3, "deliveries": 3}
        twice = (await api.post(f"/v1/alerts/{body['id']}/remind")).json()
        assert twice["reminder"] == told["reminder"], "the same press again reminds nobody twice"
        assert await w.value("SELECT count(*) FROM delivery WHERE round = 1") == 3
        await w.sql("UPDATE delivery SET queued_at = now() - interval '1 minute'")
        third = (await api.post(f"/v1/alerts/{body['id']}/remind")).json()
        assert third["reminder"]["deliveries"] == 0, "what is still to be sent is not doubled"


async def test_a_correction_reaches_exactly_the_same_people(database: str) -> None:
    async with world(database) as w, w.client() as api:
        await w.people(5, phones=2)
        body = await opened(w, api, exercise=True, severity="life_safety")
        await w.person("LATE")
        new = {"id": str(uuid.uuid4()), "title": "False alarm", "body": "There is no missile."}
        first = await api.post(f"/v1/alerts/{body['id']}/correct", json=new)
        assert first.status_code == 201, first.text
        await w.run_jobs()
        shown = (await api.get(f"/v1/alerts/{new['id']}")).json()
        assert shown["corrects"] == body["id"]
        assert (shown["kind"], shown["severity"], shown["exercise"]) == (
            "advisory",
            "life_safety",
            True,
        )
        assert (shown["state"], shown["population"]) == ("open", 5)
        assert shown["incident_id"] == body["id"]
        again = await api.post(f"/v1/alerts/{body['id']}/correct", json=new)
        assert (again.status_code, again.json()) == (200, first.json())
        clash = await api.post(f"/v1/alerts/{body['id']}/correct", json={**new, "body": "Other"})
        assert clash.status_code == 409
        assert await w.cells_agree(new["id"])


async def test_an_incident_counts_each_person_once_with_the_latest_answer(database: str) -> None:
    async with world(database) as w, w.client() as api:
        north, south = await w.person("A1", "KE-N1"), await w.person("A2", "KE-S", "international")
        incident = {"id": str(uuid.uuid4()), "title": "Flood", "exercise": False}
        assert (await api.post("/v1/incidents", json=incident)).status_code == 201
        assert (await api.post("/v1/incidents", json=incident)).status_code == 200
        other = await api.post("/v1/incidents", json={**incident, "title": "Fire"})
        assert other.status_code == 409
        first = await opened(w, api, incident_id=incident["id"], audience={"areas": ["KE-N"]})
        both = await opened(w, api, incident_id=incident["id"])
        mixed = alert(incident_id=incident["id"], exercise=True)
        assert (await api.post("/v1/alerts", json=mixed)).status_code == 422
        for key, person, status, ago in (
            (first["id"], north, "need_help", 60),
            (both["id"], north, "safe", 30),
        ):
            await w.sql(
                "UPDATE alert_person SET status = $3, event_at = now() - $4 * interval '1 second',"
                " first_at = now() WHERE alert_id = $1 AND person_id = $2",
                key,
                person,
                status,
                ago,
            )
        assert south
        address = f"/v1/incidents/{incident['id']}"
        count = (await api.get(f"{address}/headcount")).json()
        assert count["population"] == 2
        assert count["counts"] == {"safe": 1, "need_help": 0, "away": 0, "unaccounted": 1}
        assert sum(g["population"] for g in count["by"]["area"]) == 2
        assert count["parity"]["local"]["answered"] == 1
        assert count["parity"]["gap"] == {"share": 1, "median_s": None}
        assert count["parity"]["international"]["median_s"] is None, "the silent are infinite"
        assert (await api.get("/v1/incidents")).json()["items"][0]["live"] == 2
        closed = (await api.post(f"{address}/close")).json()
        assert (closed["live"], closed["alerts"]) == (0, 2)
        assert (await api.get(f"/v1/alerts/{both['id']}")).json()["state"] == "closed"
        late = await api.post("/v1/alerts", json=alert(incident_id=incident["id"]))
        assert late.status_code == 409
        assert (await api.get(f"/v1/incidents/{uuid.uuid4()}")).status_code == 404
