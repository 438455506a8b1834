"""The served document: valid, complete, and made from what serves."""

import msgspec
from openapi_spec_validator import validate

from tests.support.http import site


async def test_the_document_is_valid_and_names_every_call(database: str) -> None:
    async with site(database, people=1) as here:
        reply = await here.client.get("/v1/openapi.json")
        document = msgspec.json.decode(reply.content)
        validate(document)
        served = {(e.method.lower(), e.path) for e in here.api.endpoints}
    written = {(m, path) for path, calls in document["paths"].items() for m in calls}
    assert written == served
    assert document["openapi"].startswith("3.1")
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            assert "4XX" in call["responses"], (method, path)
            assert call["summary"], (method, path)
