"""Enrolment: a code for one person becomes one phone with secrets of its own."""

import base64
import secrets
from typing import Any
from uuid import UUID, uuid4

import msgspec

from server import auth
from server.auth import Authenticator, Principal, Scope
from server.db import Database
from server.errors import Clash, Forbidden, NotFound, Unavailable
from server.people import messages, rules, store
from server.people.messages import DeviceIn, DeviceOut, EnrolmentIn, PersonName, SmsOut
from server.vault import Vault

SQL = store.SQL
TYPED_LIVES_S = 24 * 3600.0
PRINTED_LIVES_S = 7 * 24 * 3600.0
SMS_KEY_BYTES = 20


class Issued(msgspec.Struct, frozen=True):
    """A new code, which is shown this once."""

    enrolment_id: UUID
    code: str
    expires_at: Any


async def issue(db: Database, who: Principal, scope: Scope, wish: EnrolmentIn) -> Issued:
    """A code for a person within the caller's scope. Raises NotFound for anyone else."""
    length = rules.PRINTED_CODE if wish.printed else rules.TYPED_CODE
    code = _draw(length)
    lives_s = PRINTED_LIVES_S if wish.printed else TYPED_LIVES_S
    async with db.transaction(who.operation_id) as con:
        person = await store.person_by_ref(con, wish.person_ref)
        if person is None or not scope.sees(person.person_id, person.area_id):
            raise NotFound("There is no such person among those you may enrol.")
        if scope.nodes is not None and await con.fetchval(
            SQL.answers_beyond, person.person_id, list(scope.nodes)
        ):
            raise Forbidden("This person answers for more of the tree than you: ask the SOC.")
        if scope.nodes is not None and await con.fetchval(SQL.attached, person.person_id):
            # else a warden could make anybody's phone her own by calling her a visitor
            raise Forbidden("A warden attached this person to a zone: ask the SOC for her code.")
        made = await con.fetchrow(
            SQL.add_enrolment,
            person.person_id,
            rules.code_digest(code),
            wish.printed,
            who.actor,
            lives_s,
        )
        if made is None:  # two equal codes of 40 bits: never seen, and safe to ask again
            raise Unavailable("No code could be made. Ask again.")
        subject = f"enrolment:{made['enrolment_id']}"
        await store.audit(con, who.actor, "enrolment.issue", subject, printed=wish.printed)
    return Issued(made["enrolment_id"], code, made["expires_at"])


async def withdraw(db: Database, who: Principal, scope: Scope, enrolment_id: UUID) -> None:
    """Makes a code useless. Raises NotFound outside the caller's scope, Clash where it is used."""
    async with db.transaction(who.operation_id) as con:
        found = await store.enrolment(con, enrolment_id)
        if found is None or not scope.sees(found.person_id, found.area_id):
            raise NotFound("There is no such enrolment.")
        if found.used_at is not None:
            raise Clash("This code was used already.", code="code_used")
        await con.execute(SQL.revoke_enrolment, enrolment_id)
        await store.audit(con, who.actor, "enrolment.withdraw", f"enrolment:{enrolment_id}")


async def enrol(db: Database, auth_: Authenticator, vault: Vault, wish: DeviceIn) -> DeviceOut:
    """A phone's secrets for a code; the same code and id again within 10 minutes renews them.

    Raises NotFound (`code_unknown`), Clash (`code_used`, `code_expired`, `code_withdrawn`,
    `device_id_taken`), BadInput for a push address that leads nowhere.
    """
    push = None if wish.push is None else messages.push_address(wish.push)
    digest = rules.code_digest(wish.code)
    async with db.connection() as con:
        operation_id = await con.fetchval(SQL.operation_of_enrolment, digest)
    if operation_id is None:
        raise _unknown()
    async with db.transaction(operation_id) as con:
        found = await store.enrolment_by_code(con, digest)
        if found is None or found.merged_into is not None:
            raise _unknown()
        _check_code(found, wish.id)
        device_id = wish.id or uuid4()
        old = await con.fetch(SQL.revoke_device_credentials, device_id) if found.used_at else []
        out = await _put_device(con, vault, found, device_id, wish.platform)
        if push is not None:
            await con.execute(SQL.put_push, device_id, *push)
        await con.execute(SQL.use_enrolment, found.enrolment_id, device_id)
        await store.audit(con, f"device:{device_id}", "device.enrol", f"device:{device_id}")
    auth_.forget(*(r["token_sha256"] for r in old))
    return out


def _check_code(found: store.CodeFound, device_id: UUID | None) -> None:
    """Returns where a phone may be made or made again of this code."""
    if found.used_at is not None:
        if found.just_used and device_id is not None and found.device_id == device_id:
            return
        raise Clash("This code was used for another phone. Ask for a new one.", code="code_used")
    if found.revoked:
        raise Clash("This code was withdrawn. Ask for a new one.", code="code_withdrawn")
    if found.expired:
        raise Clash("This code is too old. Ask for a new one.", code="code_expired")


async def _put_device(
    con: Any, vault: Vault, found: store.CodeFound, device_id: UUID, platform: str
) -> DeviceOut:
    key = secrets.token_bytes(SMS_KEY_BYTES)
    sealed = vault.seal(key, str(device_id))
    if found.used_at is None:
        sms_id = await _add_device(con, device_id, found.person_id, platform, sealed)
    else:
        sms_id = await _rekey(con, device_id, platform, sealed)
    token = auth.new_token()
    await con.execute(SQL.add_credential, auth.digest(token), "device", device_id, None, None)
    text = base64.urlsafe_b64encode(key).decode().rstrip("=")
    return DeviceOut(device_id, token, PersonName(found.ref, found.name), SmsOut(sms_id, text, []))


async def _add_device(
    con: Any, device_id: UUID, person_id: int, platform: str, sealed: bytes
) -> str:
    """Stores a new device under an SMS id nobody has; returns that id."""
    if await con.fetchrow(SQL.device, device_id) is not None:
        raise _taken()
    for _ in range(8):  # of 33 million ids one is soon free
        sms_id = "".join(rules.ALPHABET[secrets.randbelow(32)] for _ in range(rules.SMS_ID))
        made = await con.fetchval(SQL.add_device, device_id, person_id, platform, sms_id, sealed)
        if made is not None:
            return sms_id
    raise _taken()  # another request took the device id meanwhile


async def _rekey(con: Any, device_id: UUID, platform: str, sealed: bytes) -> str:
    device = await con.fetchrow(SQL.device, device_id)
    if device is None or device["revoked_at"] is not None:
        raise Clash("This code was used already. Ask for a new one.", code="code_used")
    await con.execute(SQL.rekey_device, device_id, platform, sealed)
    return str(device["sms_id5"])


def _draw(length: int) -> str:
    return rules.code_text([secrets.randbelow(32) for _ in range(length)])


def _unknown() -> NotFound:
    return NotFound("This code is unknown. Check it, or ask for a new one.", code="code_unknown")


def _taken() -> Clash:
    return Clash("Make a new id for this phone and ask again.", code="device_id_taken")
