"""The codes that phones are tested against are what the server makes, and what it reads of them."""

import base64
import json
from typing import Any

from server.relocation.codes import keys, rules
from server.relocation.codes.rules import Named
from tests.relocation import code_vectors

KEPT: dict[str, Any] = json.loads(code_vectors.FILE.read_text())
# of `M:`, and 12 bytes in base45: what is not signature
UNSIGNED = 2 + 18


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_they_are_what_is_made_now_but_for_the_signatures() -> None:
    now = code_vectors.made()
    assert now["keys"] == KEPT["keys"]
    for part in ("good", "forged"):
        assert [_unsigned(one) for one in now[part]] == [_unsigned(one) for one in KEPT[part]]
    assert _unsigned(now["unknown_key"]) == _unsigned(KEPT["unknown_key"])


def _unsigned(one: dict[str, Any]) -> dict[str, Any]:
    kept = one["code"] if len(one["code"]) < rules.LENGTH - 3 else one["code"][:UNSIGNED]
    return {**one, "code": (kept, len(one["code"]))}


def test_the_server_reads_of_each_what_the_file_says() -> None:
    given = {k["id"]: _raw(k["public"]) for k in KEPT["keys"]}
    public = keys.loaded(given)
    for one in KEPT["good"]:
        named = Named(one["key"], _raw(one["handle"]), one["counter"])
        assert rules.read(one["code"], public) == named, one
    for one in KEPT["forged"]:
        assert rules.read(one["code"], public) is None, one["why"]
    assert rules.read(KEPT["unknown_key"]["code"], public) is None
