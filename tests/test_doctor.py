"""`muster doctor` says what is broken, and nothing else."""

from pathlib import Path

import asyncpg
from pydantic import SecretStr

from server import doctor
from server.config import Settings


async def test_a_sound_server_has_nothing_broken(database: str, tmp_path: Path) -> None:
    findings = await doctor.examine(Settings(data_dir=tmp_path), database)
    assert [f.check for f in findings if f.broken] == []
    assert {"durability", "schema", "clock", "worker", "disk"} <= {f.check for f in findings}


async def test_each_fault_is_named(database: str, tmp_path: Path) -> None:
    con = await asyncpg.connect(database)
    name = await con.fetchval("SELECT current_database()")
    await con.execute("DELETE FROM migration WHERE name LIKE '0004%'")
    await con.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    await con.close()
    credentials = tmp_path / "fcm.json"
    credentials.write_text('{"project_id": "p"}')
    settings = Settings(data_dir=tmp_path, fcm_credentials=credentials)
    broken = {f.check: f.text for f in await doctor.examine(settings, database) if f.broken}
    assert set(broken) == {"durability", "schema", "FCM"}
    assert "synchronous_commit" in broken["durability"]
    assert "0004_checkin" in broken["schema"]


async def test_satellite_routes_are_named_with_their_proof(database: str, tmp_path: Path) -> None:
    routes = '[{"name": "garmin", "kind": "inreach", "secret": "long-enough"}]'
    for given, told in ((routes, (False, "its secret")), ("[{}]", (True, "cannot be read"))):
        settings = Settings(data_dir=tmp_path, satellite_routes=SecretStr(given))
        findings = await doctor.examine(settings, database)
        [one] = [f for f in findings if f.check.startswith("satellite")]
        assert (one.broken, told[1] in one.text) == (told[0], True)


async def test_no_database_is_one_finding() -> None:
    findings = await doctor.examine(Settings(), "postgresql://nobody@127.0.0.1:1/none")
    assert [f.check for f in findings if f.broken] == ["database"]
