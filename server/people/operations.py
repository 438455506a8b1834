"""Operations and the people of the desk: what the command line sets up."""

import re
from typing import Literal, get_args

import asyncpg
import msgspec
import phonenumbers

from server import auth
from server.db import Database
from server.errors import BadInput, Clash, FieldError, NotFound, refuse_field
from server.people import store, zones

_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
Role = Literal["admin", "operator", "auditor", "warden"]


class NewOperator(msgspec.Struct, frozen=True):
    """A new operator and her bearer token, which is shown this once."""

    operator_id: int
    name: str
    role: str
    operation: str
    area: str | None
    person: str | None
    token: str


async def add_operation(
    dsn: str, code: str, name: str, timezone: str, region: str | None = None
) -> store.Operation:
    """Makes an operation. `dsn` is the schema owner's: no API process may do this.

    `timezone` is an IANA zone; `region` (ISO 3166 alpha-2, for phone numbers without a country
    code) comes from it unless given. Raises BadInput, or Clash where the code is taken.
    """
    region = _check_operation(code, name, timezone, region)
    con = await asyncpg.connect(dsn)
    try:
        made = await con.fetchval(store.SQL.add_operation, code, name.strip(), timezone, region)
    except asyncpg.UniqueViolationError:
        raise Clash(f"There is an operation {code} already. Choose another code.") from None
    finally:
        await con.close()
    return store.Operation(made, code, name.strip(), timezone, region)


async def operation_by_code(db: Database, code: str) -> store.Operation:
    """An operation. Raises NotFound, naming how to add one."""
    async with db.connection() as con:
        row = await con.fetchrow(store.SQL.find_operation, code)
    if row is None:
        raise NotFound(f"There is no operation {code}. Add it with `muster operation add`.")
    return store.row_to(store.Operation, row)


async def add_operator(
    db: Database,
    operation: str,
    name: str,
    role: Role,
    *,
    area: str | None = None,
    person: str | None = None,
) -> NewOperator:
    """Makes an operator with a bearer token; wardens are people, others may be limited to an area.

    Raises NotFound for an unknown operation, BadInput for anything else that does not fit.
    """
    within = await operation_by_code(db, operation)
    _check_operator(name, role, area, person)
    token = auth.new_token()
    async with db.transaction(within.operation_id) as con:
        area_id = await store.area_id(con, area) if area is not None else None
        if area is not None and area_id is None:
            raise refuse_field("area", f"There is no area {area}. Import it first.")
        who = await store.person_by_ref(con, person) if person is not None else None
        if person is not None and who is None:
            raise refuse_field("person", f"There is no person {person}. Import her first.")
        person_id = None if who is None else who.person_id
        made = await con.fetchval(store.SQL.add_operator, name.strip(), role, area_id, person_id)
        await con.execute(
            store.SQL.add_credential, auth.digest(token), "operator", None, made, None
        )
        await store.audit(con, "system", "operator.add", f"operator:{made}", role=role, area=area)
    return NewOperator(made, name.strip(), role, operation, area, person, token)


def _check_operation(code: str, name: str, timezone: str, region: str | None) -> str:
    """The region. Raises BadInput naming every field that does not fit."""
    wrong: list[FieldError] = []
    if not _CODE.fullmatch(code):
        wrong.append(FieldError("code", "Use 1 to 40 letters, digits, - or _."))
    if not 0 < len(name.strip()) <= 200 or not name.isprintable():
        wrong.append(FieldError("name", "Give a name of 1 to 200 characters."))
    if not zones.exists(timezone):
        wrong.append(FieldError("timezone", "Give an IANA time zone such as Africa/Nairobi."))
    known = region.strip().upper() if region is not None else zones.region_of(timezone)
    if known is None and zones.exists(timezone):
        wrong.append(FieldError("region", f"{timezone} has no country; give one, such as KE."))
    if known is not None and known not in phonenumbers.SUPPORTED_REGIONS:
        wrong.append(FieldError("region", "Give a two-letter country code such as KE."))
    if wrong or known is None:
        raise BadInput("The operation was not added.", errors=wrong)
    return known


def _check_operator(name: str, role: str, area: str | None, person: str | None) -> None:
    """Raises BadInput naming every field that does not fit."""
    wrong: list[FieldError] = []
    if not 0 < len(name.strip()) <= 200 or not name.isprintable():
        wrong.append(FieldError("name", "Give a name of 1 to 200 characters."))
    if role not in get_args(Role):
        wrong.append(FieldError("role", f"Use one of {', '.join(get_args(Role))}."))
    if (role == "warden") != (person is not None):
        wrong.append(FieldError("person", "Name a person for the role warden, and only for it."))
    if role == "warden" and area is not None:
        wrong.append(FieldError("area", "A warden's part is her branch of the tree; leave it out."))
    if wrong:
        raise BadInput("The operator was not added.", errors=wrong)
