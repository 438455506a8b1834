"""Enrolment codes for many people at once, as an operator asks for them."""

import asyncio
from collections.abc import Sequence

from .api import Api


async def codes(
    base_url: str, operator_token: str, refs: Sequence[str], connections: int = 32
) -> dict[str, str]:
    """POST /v1/enrolments for each person; returns {ref: code}.

    Raises ProblemError for the first one refused.
    """
    async with Api(base_url, connections) as api:

        async def code(ref: str) -> str:
            body = {"person_ref": ref}
            answer = await api.call("POST", "/v1/enrolments", operator_token, lambda: body)
            return str(answer["code"])

        found = await asyncio.gather(*(code(ref) for ref in refs))
    return dict(zip(refs, found, strict=True))
