"""Figures of a score, and trends over several. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from server.alerts.scoring.messages import CategoryLine, Line, NodeLine, Point, Score, Trend
from server.people.messages import PersonName


def figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a line: a share rounded down, and no second that is infinite."""
    share = math.floor(row["answered"] / row["population"] * 10_000) / 10_000
    return {
        "population": row["population"],
        "reached": row["reached"],
        "answered": row["answered"],
        "share": share,
        "median_s": _finite(row["median_s"]),
        "p90_s": _finite(row["p90_s"]),
    }


def total(rows: Iterable[Mapping[str, Any]]) -> Line | None:
    """The line of everybody; None where there is nobody."""
    for row in rows:
        if row["category"] is None and row["node_id"] is None and row["population"]:
            return Line(**figures(row))
    return None


def by_node(rows: Iterable[Mapping[str, Any]]) -> list[NodeLine]:
    """The lines of nodes, the duty desk's first."""
    return [
        NodeLine(node=r["node"], label=r["label"] or None, warden=_warden(r), **figures(r))
        for r in rows
        if r["node_id"] is not None
    ]


def by_category(rows: Iterable[Mapping[str, Any]]) -> list[CategoryLine]:
    """The lines of categories."""
    return [
        CategoryLine(category=r["category"], **figures(r))
        for r in rows
        if r["category"] is not None
    ]


def trends(scores: Iterable[Score]) -> list[Trend]:
    """Each node over some exercises, the oldest first; its label is the newest."""
    points: dict[str, list[Point]] = defaultdict(list)
    labels: dict[str, str | None] = {}
    for score in sorted((s for s in scores if s.closed_at), key=lambda s: s.closed_at or s.as_of):
        for line in score.nodes:
            if line.node is not None:
                labels[line.node] = line.label
                at = score.closed_at or score.as_of
                point = Point(score.alert_id, at, line.share, line.median_s, line.p90_s)
                points[line.node].append(point)
    return [Trend(node, labels[node], points[node]) for node in sorted(points)]


def _warden(row: Mapping[str, Any]) -> PersonName | None:
    return None if row["warden"] is None else PersonName(row["warden"], row["warden_name"])


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else round(seconds, 1)
