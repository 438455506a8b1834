"""What viewers of the stream get of the tree: that it changed, for who sees all of it."""

from collections.abc import Sequence
from typing import Any

from server.auth import Scope
from server.hub import Kind
from server.stream import Event


async def _version(_: int, scope: Scope, events: Sequence[Event]) -> dict[str, Any] | None:
    """{version}: read the tree again if you show it."""
    return {"version": events[-1].data["version"]} if scope.whole else None


def kinds() -> list[Kind]:
    """The kind of event this room renders; several changes in a row are one."""
    return [Kind("tree", key=lambda _: "tree", urgent=False, render=_version)]
