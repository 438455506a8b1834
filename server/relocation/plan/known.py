"""What reports are read by: vehicles and points as far as they never change, remembered."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from server.errors import NotFound, Problem, refuse_field
from server.relocation.rules import Said
from server.relocation.store import SQL, Report, Vehicle

MOST = 100_000  # vehicles and points before all is forgotten and read again
Key = tuple[int, UUID, UUID | int]  # operation, movement, and what it is named by


class Known:
    """The part of the plan that some reports name."""

    def __init__(
        self, operation_id: int, vehicles: Mapping[Key, Vehicle], points: Mapping[Key, bool]
    ) -> None:
        self._operation_id = operation_id
        self._vehicles = vehicles
        self._points = points

    def vehicle(self, report: Report) -> Vehicle | None:
        """The vehicle a report names."""
        if report.vehicle is None:
            return None
        return self._vehicles.get((self._operation_id, report.movement_id, report.vehicle))

    def refusal(self, report: Report, states: Mapping[UUID, str]) -> Problem | None:
        """Why a report cannot be taken: it names what is not there."""
        if report.movement_id not in states:
            return NotFound("There is no such movement.", code="movement_unknown")
        if report.vehicle is not None and self.vehicle(report) is None:
            return refuse_field("vehicle", "There is no such vehicle in this movement.")
        if report.point is not None and self._haven(report) is None:
            return refuse_field("point", "There is no such point in this movement.")
        return None

    def said(self, report: Report, vehicle: Vehicle | None, event_at: datetime) -> Said:
        """A report with what the plan says of its vehicle and point."""
        return Said(
            report_id=report.report_id,
            event_at=event_at,
            stage=report.stage,
            resolution=report.how == "resolution",
            vehicle=vehicle.vehicle_id if vehicle else None,
            leg=vehicle.leg_id if vehicle else None,
            start=vehicle.start_id if vehicle else None,
            end=vehicle.end_id if vehicle else None,
            end_haven=vehicle.haven if vehicle else False,
            point=report.point,
            haven=bool(self._haven(report)),
        )

    def _haven(self, report: Report) -> bool | None:
        if report.point is None:
            return None
        return self._points.get((self._operation_id, report.movement_id, report.point))


class Plan:
    """Vehicles and points of all operations, as far as they were asked for. One a process."""

    def __init__(self) -> None:
        self._vehicles: dict[Key, Vehicle] = {}
        self._points: dict[Key, bool] = {}

    async def of(self, con: Any, operation_id: int, reports: Iterable[Report]) -> Known:
        """What some reports of one operation name, read where it is not known yet."""
        own = list(reports)
        if len(self._vehicles) + len(self._points) > MOST:
            self._vehicles, self._points = {}, {}
        vehicles = {(operation_id, r.movement_id, r.vehicle) for r in own if r.vehicle is not None}
        points = {(operation_id, r.movement_id, r.point) for r in own if r.point is not None}
        if not vehicles <= self._vehicles.keys():
            await self._read_vehicles(con, vehicles - self._vehicles.keys())
        if not points <= self._points.keys():
            await self._read_points(con, points - self._points.keys())
        return Known(operation_id, self._vehicles, self._points)

    async def _read_vehicles(self, con: Any, wanted: Iterable[Key]) -> None:
        movements = [movement_id for _, movement_id, _ in wanted]
        ids = [name for *_, name in wanted if isinstance(name, UUID)]
        numbers = [name for *_, name in wanted if isinstance(name, int)]
        operation_id = next(iter(wanted))[0]
        for row in await con.fetch(SQL.vehicles, movements, ids, numbers):
            movement_id, *own = row
            vehicle = Vehicle(*own)
            self._vehicles[operation_id, movement_id, vehicle.vehicle_id] = vehicle
            self._vehicles[operation_id, movement_id, vehicle.number] = vehicle

    async def _read_points(self, con: Any, wanted: Iterable[Key]) -> None:
        movements = [movement_id for _, movement_id, _ in wanted]
        operation_id = next(iter(wanted))[0]
        for row in await con.fetch(SQL.points, movements, [name for *_, name in wanted]):
            self._points[operation_id, row["movement_id"], row["point_id"]] = row["haven"]
