"""Movements, their plans, manifests, codes and checkers of two neighbouring operations."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from server import db, jobs
from server.relocation import jobs as movement_jobs

if TYPE_CHECKING:
    from tests.promises.neighbours import Land

Bodies = dict[str, list[tuple[str, Any]]]
ONE = "/v1/movements/{movement_id}"
LIST = f"{ONE}/vehicles/{{vehicle_id}}/manifest"
NEUTRAL = {  # fields of bodies that name nobody and nothing on record
    "apply", "arrives_at", "authority", "callsign", "capacity", "counter", "departs_at", "do",
    "how", "label", "mark", "medical", "move", "name", "number", "order", "papers", "expires_on",
    "place", "position", "reach", "reason", "reference", "seats", "stage", "state", "statement",
    "xlsx", "departed_at", "arrived_at", "was",
}  # fmt: skip
QUERIES = {  # parameters that name nothing
    "stage", "vehicle", "missing", "side", "counted", "unsettled", "visiting", "late", "unsaid",
}  # fmt: skip
_CODES = """
    SELECT give_movement_codes($1, array_agg(person_id)) FROM movement_person WHERE movement_id = $1
"""


def _said(stage: str, ago_s: float = 0, **more: Any) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    return {"id": str(uuid4()), "stage": stage, "at": at.isoformat(), **more}


async def begin(land: "Land", database: db.Database) -> None:
    """A movement with its plan, people on their way, a conflict, a sealed manifest, a code."""
    mark, names, call = land.mark, land.names, land.call
    kinds = ("movement", "point", "haven", "leg", "vehicle", "function", "amendment", "staged")
    names |= {kind: str(uuid4()) for kind in kinds}
    wish = {
        "id": names["movement"], "kind": "relocation", "reach": "outside", "title": f"{mark}away",
        "authority": f"{mark}office", "exercise": False, "origins": [f"{mark}ALL"],
    }  # fmt: skip
    await call("admin", "POST", "/v1/movements", wish)
    runner = jobs.Runner(database, movement_jobs.handlers(database))
    while await runner.turn():
        pass
    one = f"/v1/movements/{names['movement']}"
    await call("admin", "POST", f"{one}/people", {"people": [names["stranger"]]})
    for name, kind in (("point", "concentration"), ("haven", "safe_haven")):
        place = {"kind": kind, "name": f"{mark}{name}"}
        await call("admin", "PUT", f"{one}/points/{names[name]}", place)
    leg = {"kind": "road", "position": 1, "from": names["point"], "to": names["haven"]}
    await call("admin", "PUT", f"{one}/legs/{names['leg']}", leg)
    car = {"leg": names["leg"], "number": 1, "label": f"{mark}bus", "seats": 9}
    await call("admin", "PUT", f"{one}/vehicles/{names['vehicle']}", car)
    work = {"name": f"{mark}work", "keeper": f"{mark}P2", "note": f"{mark}keeps"}
    await call("admin", "PUT", f"{one}/functions/{names['function']}", work)
    await _manifest(land, f"{one}/vehicles/{names['vehicle']}/manifest")
    await call("admin", "PUT", f"{one}/checkers/{mark}P3")
    code = await call("admin", "POST", f"/v1/people/{mark}P2/code", {"do": "issue"})
    names["person_code"] = code["code"]
    await database.fetch(land.operation_id, _CODES, names["movement"])
    await _reports(land)


async def _manifest(land: "Land", one: str) -> None:
    mark, names, call = land.mark, land.names, land.call
    about = {"ref": f"{mark}P3", "papers": True, "expires_on": "2030-01-01", "medical": True}
    movement = f"/v1/movements/{names['movement']}"
    await call("admin", "PUT", f"{movement}/travellers", {"items": [about]})
    people = {"people": [f"{mark}P1", f"{mark}P3"], "split": [f"{mark}P3"]}
    await call("admin", "PUT", one, people)
    await call("admin", "POST", f"{one}/seal")
    change = {"id": names["amendment"], "reason": f"{mark}late", "put_on": [f"{mark}P5"]}
    await call("admin", "POST", f"{one}/amendments", change)


async def _reports(land: "Land") -> None:
    """P3 aboard while her family is not; P4 at two places at once; P2 ready."""
    mark, names = land.mark, land.names
    at = {"movement": names["movement"]}
    items = [
        _said("at_point", 600, **at, **{"for": f"{mark}P4"}, point=names["point"]),
        _said("at_point", 590, **at, **{"for": f"{mark}P4"}, point=names["haven"]),
        _said("boarded", 600, **at, **{"for": f"{mark}P3"}, vehicle=names["vehicle"]),
        {**_said("ready", 600, **at, **{"for": f"{mark}P2"}), "id": names["staged"]},
    ]
    for item in items:
        await land.call("admin", "POST", "/v1/stage-reports", item)
    one = f"/v1/movements/{names['movement']}"
    found = await land.call("admin", "GET", f"{one}/conflicts")
    names["conflict"] = found["items"][0]["id"]


def in_path(names: dict[str, str]) -> dict[str, str]:
    """What stands for each parameter of a path."""
    own = ("movement", "point", "leg", "vehicle", "function", "conflict")
    return {f"{name}_id": names[name] for name in own} | {"checker": f"{names['mark']}P3"}


def bodies(own: "Land", other: "Land") -> Bodies:
    """Bodies of the calls about movements."""
    mark, names, mine = other.mark, other.names, own.names
    new: Callable[[], dict[str, str]] = lambda: {"id": str(uuid4())}  # noqa: E731
    wish = {"kind": "return", "reach": "inside", "title": "t", "authority": "a", "exercise": False}
    named: list[dict[str, Any]] = [{"origins": [f"{mark}N"]}, {"people": [f"{mark}P2"]}]
    car = {"number": 1, "label": "l", "seats": 9, "watch_id": names["watch"]}
    settled = {**new(), "reason": "r", "at": datetime.now(UTC).isoformat()}
    left = [{"ref": f"{mark}P2", "reason": "r"}]
    ends = {"from": names["point"], "to": names["haven"]}
    return {
        "POST /v1/movements": [
            *(("refused", {**new(), **wish, **more}) for more in named),
            ("own", {**wish, "id": names["movement"], "origins": [f"{own.mark}N"]}),
        ],
        f"POST {ONE}/close": [("refused", {"statement": "s", "unresolved": left})],
        f"POST {ONE}/people": [("refused", {"people": [f"{mark}P2"]})],
        f"PUT {ONE}/points/{{point_id}}": [
            ("refused", {"kind": "concentration", "name": "n", "area": f"{mark}N"}),
            ("own", {"kind": "concentration", "name": "n", "lat": 1, "lon": 1}),
        ],
        f"PUT {ONE}/legs/{{leg_id}}": [("refused", {"kind": "road", "position": 1, **ends})],
        f"PUT {ONE}/vehicles/{{vehicle_id}}": [("refused", {**car, "leg": names["leg"]})],
        f"PUT {ONE}/functions/{{function_id}}": [
            ("refused", {"name": "n", "keeper": f"{mark}P2"}),
            ("refused", {"name": "n", "keeper": f"{own.mark}P2", "deputies": [f"{mark}P3"]}),
        ],
        f"POST {ONE}/conflicts/{{conflict_id}}/resolve": [
            ("refused", {**settled, "stage": "at_point", "point": names["point"]}),
            ("refused", {**settled, "stage": "boarded", "vehicle": names["vehicle"]}),
        ],
        "POST /v1/stage-reports": [
            ("refused", _said("ready", movement=names["movement"])),
            ("refused", _said("ready", movement=mine["movement"], **{"for": f"{mark}P3"})),
            ("refused", _said("ready", movement=mine["movement"], code=names["person_code"])),
            ("refused", _said("at_point", movement=mine["movement"], point=names["point"])),
            ("refused", {"items": [_said("ready", movement=names["movement"])]}),
            ("own", {**_said("ready", movement=mine["movement"]), "id": names["staged"]}),
        ],
        **_of_manifests(own, other),
    }


def _of_manifests(own: "Land", other: "Land") -> Bodies:
    mark, names, mine = other.mark, other.names, own.names
    new = {"id": str(uuid4()), "reason": "r"}
    ticked = {**_said("boarded"), "people": [f"{mark}P2"]}
    return {
        f"PUT {LIST}": [
            ("refused", {"people": [f"{mark}P2"]}),
            ("refused", {"people": [], "split": [f"{mark}P2"]}),
        ],
        f"POST {LIST}/amendments": [
            ("refused", {**new, "put_on": [f"{mark}P2"]}),
            ("refused", {**new, "take_off": [f"{mark}P2"]}),
        ],
        f"POST {LIST}/import": [
            ("refused", {"csv": f"ref\n{mark}P2\n"}),
            ("refused", {"csv": f"ref\n{own.mark}P2\n", "split": [f"{mark}P2"]}),
        ],
        f"POST {LIST}/ticked": [("refused", ticked)],
        f"POST {ONE}/fill": [
            ("refused", {"leg": names["leg"]}),
            ("refused", {"leg": mine["leg"], "zones": [f"{mark}N"]}),
            ("refused", {"leg": mine["leg"], "split": [f"{mark}P2"]}),
        ],
        f"PUT {ONE}/travellers": [("refused", {"items": [{"ref": f"{mark}P2"}]})],
        "POST /v1/people/{ref}/code": [("own", {"do": "issue"})],
    }
