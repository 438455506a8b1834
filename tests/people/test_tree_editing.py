"""Any run of edits: each change is one version, and the newest version is the live tree."""

import random
from typing import Any

import pytest

from tests.people.house import House

NODES = ["ROOT", "N-GIG", "N-WES", "N1", "N2", "N3"]
FACE = ("node", "parent", "label", "area", "warden", "alternates", "members", "answer_s")


def face(node: dict[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in FACE}


async def read(house: House, desk: str, version: int | None = None) -> dict[str, Any]:
    query = {} if version is None else {"version": str(version)}
    found = await house.get("/v1/tree", desk, params=query)
    return {n["node"]: face(n) for n in found["items"]}


def wish(chance: random.Random, version: int) -> dict[str, Any]:
    """A node as somebody might want it, not always one that can be."""
    refs = ["P1", "P2", "P3", "P4", "P5", "P9"]
    return {
        "parent": chance.choice([None, *NODES]),
        "label": chance.choice(["One", "Two", "Three"]),
        "area": chance.choice([None, "KE", "GIG", "WES"]),
        "warden": chance.choice([None, *refs[:5]]),
        "alternates": chance.sample(refs[:5], chance.randrange(3)),
        "members": sorted(chance.sample(refs, chance.randrange(3))),
        "answer_s": chance.choice([None, 60, 300]),
        "reason": "Why not",
        "version": version - (chance.random() < 0.1),
    }


def circular(tree: dict[str, Any]) -> bool:
    for start in tree:
        at, seen = start, set()
        while at is not None and at not in seen:
            seen.add(at)
            at = tree[at]["parent"] if at in tree else None
        if at is not None:
            return True
    return False


def possible(tree: dict[str, Any], node: str, wanted: dict[str, Any]) -> bool:
    """Whether the wish can stand, told by a plain model."""
    named = {**tree, node: {**wanted, "node": node}}
    people = [*wanted["alternates"], *wanted["members"]]
    known = wanted["parent"] is None or (wanted["parent"] in named and wanted["parent"] != node)
    return (
        known
        and "P9" not in people
        and wanted["warden"] not in wanted["alternates"]
        and not circular(named)
    )


@pytest.mark.parametrize("seed", range(4))
async def test_versions_replay_to_the_live_tree(house: House, seed: int) -> None:
    chance, desk = random.Random(seed), await house.operator()
    tree, version, kept = await read(house, desk), 0, {}
    for _ in range(40):
        node = chance.choice(NODES)
        if node in tree and chance.random() < 0.2:
            path = f"/v1/tree/nodes/{node}?version={version}"
            assert (await house.call("DELETE", path, desk)).status_code == 200
            parent = tree.pop(node)["parent"]
            for child in tree.values():
                child["parent"] = parent if child["parent"] == node else child["parent"]
            version += 1
        else:
            wanted = wish(chance, max(1, version) if version else 1)
            wanted["version"] = min(wanted["version"], version)
            answer = await house.call("PUT", f"/v1/tree/nodes/{node}", desk, json=wanted)
            new = face({**wanted, "node": node})
            if answer.status_code in (200, 201):
                assert possible(tree, node, wanted), wanted
                changed = tree.get(node) != new
                assert wanted["version"] == version or not changed
                assert (answer.status_code == 201) == (node not in tree)
                version += changed
                tree[node] = new
            else:
                stale = wanted["version"] != version
                assert (
                    answer.status_code == 409
                    if stale and possible(tree, node, wanted)
                    else (answer.status_code in (409, 422))
                )
                assert stale or not possible(tree, node, wanted), answer.text
        kept[version] = {key: dict(value) for key, value in tree.items()}
        assert await read(house, desk) == tree
    assert version > 5
    for number, was in kept.items():
        if number:
            assert await read(house, desk, number) == was
    numbers = [v["version"] for v in (await house.get("/v1/tree/versions", desk))["items"]]
    assert numbers == list(range(version, 0, -1))
