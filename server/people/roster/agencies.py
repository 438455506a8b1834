"""What family take from their sponsors, and one spelling for each agency. Pure."""

from collections.abc import Mapping

import msgspec

from server.people.roster.links import Known
from server.people.roster.report import Warned
from server.people.roster.rows import PersonRow


class Agencies:
    """Fills family in from their sponsors, and spells each agency one way."""

    def __init__(self, file: str, good: Mapping[str, PersonRow], known: Known) -> None:
        self._file = file
        self._good = good
        self._known = known
        self._spelled = {name.casefold(): name for name in known.agencies}
        self._added: list[str] = []
        self._warned: dict[str, Warned] = {}

    def people(self) -> tuple[list[PersonRow], list[str], list[Warned]]:
        """The rows to write, the agencies they add, and spellings that were put right."""
        rows = [self._filled(row) for row in self._good.values()]
        return rows, self._added, list(self._warned.values())

    def _filled(self, row: PersonRow) -> PersonRow:
        agency, area = self._own(row)
        spelled = self._spelling(row, agency)
        if spelled == row.agency and area == row.area:
            return row
        return msgspec.structs.replace(row, agency=spelled, area=area)

    def _own(self, row: PersonRow) -> tuple[str, str]:
        if row.agency and row.area:
            return row.agency, row.area
        sponsor = self._good.get(row.family_of) or self._known.people.get(row.family_of)
        if sponsor is None:  # she was refused, and so is the whole import
            return row.agency, row.area
        return row.agency or sponsor.agency, row.area or sponsor.area

    def _spelling(self, row: PersonRow, agency: str) -> str:
        spelled = self._spelled.get(agency.casefold())
        if spelled is None:
            self._spelled[agency.casefold()] = agency
            self._added.append(agency)
            return agency
        if spelled != agency and agency not in self._warned:
            said = f"{agency} is counted as {spelled}"
            self._warned[agency] = Warned(self._file, row.row, "agency", said)
        return spelled
