"""E-mail: plain text to whoever has an address, handed to one relay over a few connections.

What the relay took is accepted, never delivered. An e-mail is read late if at all: it stands
behind push and texts, and beside them where everything goes out at once.
"""

import asyncio
import re
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as LINES
from email.utils import format_datetime

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from server import log
from server.alerts.channels import (
    Outcome,
    Push,
    accepted,
    endpoint_dead,
    held,
    permanent,
    transient,
    unknown,
)
from server.alerts.channels.pacing import Circuit, Guarded
from server.alerts.channels.wording import letter
from server.mailing import Relay, is_address

LOGGER = log.get("email")
REQUEST_S = 8.0
CONNECTIONS = 4
IDLE_S = 30.0  # relays hang up on who says nothing for long
FAILURES = 5
OURS_S = 60.0  # wrong credentials, a refused sender: ours to mend, and no fault of the message
_DEAD = re.compile(r"\b5\.1\.[0-9]+\b")  # RFC 3463: the address itself
_QUEUED_AS = re.compile(r"\b(?:queued as|id=?)\s*([A-Za-z0-9._-]{4,60})\b", re.IGNORECASE)


class EmailChannel(Guarded):
    """Sends e-mail. One instance a process: it holds the connections and the relay's health."""

    name = "email"

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        super().__init__(Circuit(time.monotonic, FAILURES))
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._kept: list[tuple[aiosmtplib.SMTP, float]] = []

    async def close(self) -> None:
        """Closes the connections."""
        while self._kept:
            self._kept.pop()[0].close()

    async def send(self, push: Push) -> Outcome:
        """One try. What is too late is not sent."""
        if push.expires_at is not None and push.expires_at <= datetime.now(UTC):
            return held("the alert's time is over", 60.0)
        if not is_address(push.address):
            return permanent("the person's e-mail address is none that can be written to")
        body = compose(push, self._relay.sender)
        async with self._room:
            smtp = await self._connected()
            if isinstance(smtp, Outcome):
                return smtp
            outcome, whole = await self._hand_over(smtp, push.address, body)
            if whole:
                self._kept.append((smtp, time.monotonic()))
            else:
                smtp.close()
            return outcome

    async def _connected(self) -> aiosmtplib.SMTP | Outcome:
        """A connection that was kept, or a new one; else why there is none."""
        while self._kept:
            smtp, since = self._kept.pop()
            if smtp.is_connected and time.monotonic() - since < IDLE_S:
                return smtp
            smtp.close()
        own = self._relay
        smtp = aiosmtplib.SMTP(
            hostname=own.host,
            port=own.port,
            use_tls=own.tls,
            start_tls=own.start_tls,
            username=own.username,
            password=own.password,
            local_hostname=own.sender.rpartition("@")[2],
            timeout=REQUEST_S,
        )
        try:
            async with asyncio.timeout(REQUEST_S):
                await smtp.connect()
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            smtp.close()
            return self._failed(f"no connection to the mail relay: {type(error).__name__}")
        return smtp

    def _failed(self, reason: str, wait_s: float | None = None) -> Outcome:
        LOGGER.warning("relay_failed", reason=reason)
        self._circuit.failed(wait_s)
        return transient(reason, wait_s)

    async def _hand_over(
        self, smtp: aiosmtplib.SMTP, address: str, body: bytes
    ) -> tuple[Outcome, bool]:
        """What came of it, and whether the connection is good for another."""
        sender = self._relay.sender
        try:
            refused = await _answer(smtp.mail(sender))
            if refused is not None:
                reason = f"the mail relay refuses our sender ({refused.code})"
                return self._failed(reason, OURS_S), await _reset(smtp)
            refused = await _answer(smtp.rcpt(address))
            if refused is not None:
                return self._judged(refusal(refused, "address")), await _reset(smtp)
        except (SMTPException, OSError, TimeoutError) as error:
            return self._failed(f"the mail relay is gone: {type(error).__name__}"), False
        try:
            async with asyncio.timeout(REQUEST_S):
                taken = await smtp.data(body)
        except SMTPResponseException as error:
            return self._judged(refusal(error, "message")), await _reset(smtp)
        except (SMTPException, OSError, TimeoutError) as error:
            self._circuit.failed()
            return unknown(f"no answer from the mail relay: {type(error).__name__}"), False
        named = _QUEUED_AS.search(taken.message)
        return self._judged(accepted(named[1] if named else "taken")), True

    def _judged(self, outcome: Outcome) -> Outcome:
        self._circuit.succeeded()  # it answers
        return outcome


async def _answer(command: Awaitable[object]) -> SMTPResponseException | None:
    """Waits for a command; the relay's own refusal, if it refused. Raises for all else."""
    try:
        async with asyncio.timeout(REQUEST_S):
            await command
    except aiosmtplib.SMTPServerDisconnected:
        raise
    except SMTPResponseException as error:
        if error.code == 421:  # it hangs up
            raise SMTPException("the relay hangs up") from None
        return error
    return None


async def _reset(smtp: aiosmtplib.SMTP) -> bool:
    """Whether the connection is ready for the next message."""
    try:
        async with asyncio.timeout(2.0):
            await smtp.rset()
    except (SMTPException, OSError, TimeoutError):
        return False
    return True


def refusal(error: SMTPResponseException, what: str) -> Outcome:
    """What a refusal means: 4xx may pass, 5xx will not; 5.1.x speaks of the address itself."""
    reason = f"the mail relay refuses the {what} ({error.code})"
    if 400 <= error.code < 500:
        return transient(reason)
    if what == "address" and _DEAD.search(error.message):
        return endpoint_dead(f"there is no such e-mail address ({error.code})")
    return permanent(reason)


def compose(push: Push, sender: str) -> bytes:
    """The message as it goes over the wire: neutral, or what the operator wrote for texts.

    Its id is the delivery's, the same at each try, so that mailboxes can leave out a repeat.
    """
    subject, words = letter(push.language, push.line, push.exercise, push.purpose)
    made = EmailMessage(policy=LINES)
    made["From"] = sender
    made["To"] = push.address
    made["Subject"] = subject
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Message-ID"] = f"<{push.delivery_id}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(words + "\n", charset="utf-8", cte="base64")
    return made.as_bytes()
