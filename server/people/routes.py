"""All calls about people: parse, act, answer."""

from server.auth import Authenticator
from server.config import Settings
from server.db import Database
from server.people.attempts import Attempts
from server.people.desk_routes import DeskRoutes
from server.people.directory_routes import DirectoryRoutes
from server.people.phone_routes import PhoneRoutes
from server.people.presence.routes import PresenceRoutes
from server.people.tree.routes import TreeRoutes
from server.vault import Vault
from server.web import Endpoint


def endpoints(
    db: Database, auth: Authenticator, settings: Settings, vault: Vault
) -> list[Endpoint]:
    """Sessions, enrolments, devices, the phone's own view, the directory, the tree and
    presences.

    Sign-in and enrolment count wrong secrets apart, so that neither can close the other.
    """
    return [
        *DeskRoutes(db, auth, settings, Attempts()).endpoints(),
        *PhoneRoutes(db, auth, settings, vault, Attempts()).endpoints(),
        *DirectoryRoutes(db, auth).endpoints(),
        *TreeRoutes(db, auth).endpoints(),
        *PresenceRoutes(db, auth).endpoints(),
    ]
