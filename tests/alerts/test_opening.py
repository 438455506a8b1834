"""An alert opens: nobody is lost, nobody is counted twice."""

from tests.alerts.world import alert, world


async def test_an_alert_is_on_record_at_once_and_open_after_its_job(database: str) -> None:
    async with world(database) as w, w.client() as api:
        sponsor = await w.person("A1")
        await w.person("A2", category="family", sponsor=sponsor)
        await w.phone(sponsor)
        body = alert()
        first = await api.post("/v1/alerts", json=body)
        assert first.status_code == 201, first.text
        assert first.json()["state"] == "preparing"
        await w.run_jobs()
        now = (await api.get(f"/v1/alerts/{body['id']}")).json()
        assert now["state"] == "open"
        assert now["population"] == 2
        assert now["created_by"] == "Name of boss"
        assert await w.cells_agree(body["id"])
        again = await api.post("/v1/alerts", json=body)
        assert (again.status_code, again.json()) == (200, first.json())
        other = await api.post("/v1/alerts", json={**body, "title": "Other"})
        assert other.status_code == 409
        assert await w.value("SELECT count(*) FROM delivery WHERE state = 'queued'") == 1
