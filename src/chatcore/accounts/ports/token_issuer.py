"""What a signed-in client shows."""

from abc import ABC, abstractmethod

from ...ports.authenticator import Principal
from .account_store import Session


class TokenIssuer(ABC):
    """Makes tokens, and tells its own from any other string. No method awaits; reading never raises.

    Nodes with the same secret read each other's tokens. A token is a credential: it goes into no log and no error.
    """

    @abstractmethod
    def access(self, session: Session) -> tuple[str, int]:
        """A new access token of the session, and for how many seconds it is good."""

    @abstractmethod
    def read_access(self, token: str) -> Principal | None:
        """Whom an access token names, with its session and end; None when it is not ours, changed, or expired.

        Whether the session is still open it does not know.
        """

    @abstractmethod
    def refresh(self, session: str, generation: int) -> str:
        """The refresh token of a session's generation: always the same one, so that nobody has to keep it."""

    @abstractmethod
    def read_refresh(self, token: str) -> tuple[str, int] | None:
        """The session and generation of a refresh token; None when it is not ours, or changed."""
