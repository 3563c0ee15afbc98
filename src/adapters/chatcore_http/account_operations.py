"""The operations of the bundled accounts over HTTP, and the objects that they take."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from chatcore.accounts import Tokens
from chatcore.accounts.accounts import DEVICE_LENGTH, NAME_LENGTH, PASSWORD_LENGTH
from chatcore.commands.command import GENERAL_REFUSALS
from chatcore.commands.fields import KEYWORDS, LINE_PATTERN
from chatcore.ids import USER_MAX
from chatcore.protocol import Object
from chatcore.protocol.examples import DEVICE, EXPIRES_IN, REFRESH_TOKEN, TOKEN
from chatcore.protocol.schemas import Schemas, object_schema

from .operations import HttpExample, Operation

FAMILY = "accounts"
REFRESH_COOKIE = "chatcore_refresh"
"""The cookie that holds the refresh token of a page's session."""
PASSWORD = "correct horse battery"
NEW_USER_MAX = 32
"""The most characters of a name at sign-up. It bounds the normalised name, which is seldom shorter."""


def _bounds(length: tuple[int, int], **others: object) -> Mapping[str, Any]:
    return {KEYWORDS: {"type": "string", "minLength": length[0], "maxLength": length[1], **others}}


_USER = _bounds((1, USER_MAX), pattern=LINE_PATTERN)
_NEW_USER = _bounds((1, NEW_USER_MAX), pattern=LINE_PATTERN, format="user-name")
_PASSWORD = _bounds(PASSWORD_LENGTH)


@frozen(kw_only=True)
class SignUp:
    """A new account.

    Attributes:
        user: the name to sign in with, without spaces. It is normalised (PRECIS UsernameCaseMapped).
        password: any characters; the server keeps a hash of it.
    """

    user: str = field(metadata=_NEW_USER)
    password: str = field(repr=False, metadata=_PASSWORD)
    name: str | None = field(default=None, metadata=_bounds(NAME_LENGTH, pattern=LINE_PATTERN))


@frozen(kw_only=True)
class SignIn:
    """A user's name and password.

    Attributes:
        user: the name of the account.
        device: the name of the device, one line; if it is missing the server makes one.
        cookie: whether the answer sets the refresh token as a cookie for the page that asks, in place of showing it.
    """

    user: str = field(metadata=_USER)
    password: str = field(repr=False, metadata=_PASSWORD)
    device: str | None = field(default=None, metadata=_bounds(DEVICE_LENGTH, pattern=LINE_PATTERN))
    cookie: bool = False


@frozen(kw_only=True)
class Refresh:
    """A refresh token.

    Attributes:
        refresh_token: the refresh token that was given last. A page whose session has it in a cookie leaves it out.
    """

    refresh_token: str | None = field(default=None, repr=False)


def sign_up_operation(schemas: Schemas) -> Operation:
    return Operation(
        id="accounts.create",
        family=FAMILY,
        path="/accounts",
        title="Sign up",
        description="Create an account. The answer's `user` is the normalised name.",
        body=schemas.sent(SignUp),
        responses={201: object_schema(schemas.named(user=str))},
        refusals={
            **_WITHOUT_TOKEN,
            "conflict": "the name is already taken",
            "forbidden": "sign-up is closed (`CHATCORE_SIGNUP=closed`)",
            "invalid": f"the name is not valid; {GENERAL_REFUSALS['invalid']}",
        },
        needs_token=False,
        examples=[
            HttpExample(
                step=1,
                user=None,
                method="POST",
                path="/accounts",
                body={"user": "Alice", "password": PASSWORD},
                status=201,
                answer={"user": "alice"},
            )
        ],
    )


def sign_in_operation(schemas: Schemas) -> Operation:
    return Operation(
        id="sessions.create",
        family=FAMILY,
        path="/sessions",
        title="Sign in",
        description=f"Start a session of one device.\n\nWith `cookie: true` the refresh token is in the cookie "
        f"`{REFRESH_COOKIE}`, for a page of this site, and not in the answer.",
        body=schemas.sent(SignIn),
        responses={201: _tokens(schemas)},
        cookies={201: f"{_SET}, if `cookie` is true"},
        refusals={**_WITHOUT_TOKEN, "unauthenticated": "a wrong name or password: one answer for both"},
        needs_token=False,
        examples=[
            HttpExample(
                step=2,
                user=None,
                method="POST",
                path="/sessions",
                body={"user": "alice", "password": PASSWORD, "device": DEVICE},
                status=201,
                answer=_TOKENS,
            ),
            HttpExample(
                step=4,
                user=None,
                method="POST",
                path="/sessions",
                body={"user": "alice", "password": PASSWORD, "device": DEVICE, "cookie": True},
                status=201,
                answer={name: value for name, value in _TOKENS.items() if name != "refresh_token"},
            ),
        ],
    )


def refresh_operation(schemas: Schemas) -> Operation:
    return Operation(
        id="sessions.refresh",
        family=FAMILY,
        path="/sessions/refresh",
        title="Refresh a session",
        description="Get new tokens for a refresh token.\n\nThe old token is spent. Within 5 s of its first use it "
        "gives the same new refresh token again; a later use ends the session.\n\nWithout `refresh_token` the token in "
        f"the cookie `{REFRESH_COOKIE}` is used. Such a request needs `Content-Type: application/json` and the header "
        "Origin of an admitted page.",
        body=schemas.sent(Refresh),
        cookie=REFRESH_COOKIE,
        responses={200: _tokens(schemas)},
        cookies={200: f"{_SET}, if the token was in the cookie", 401: f"{_CLEAR}, if it was refused"},
        refusals={
            **_WITHOUT_TOKEN,
            "unauthenticated": "the refresh token is wrong, spent, or its session has ended; the cookie is missing",
            "invalid": "`refresh_token` is missing in a request that may not use the cookie; "
            + GENERAL_REFUSALS["invalid"],
        },
        needs_token=False,
        examples=[
            HttpExample(
                step=3,
                user=None,
                method="POST",
                path="/sessions/refresh",
                body={"refresh_token": REFRESH_TOKEN},
                status=200,
                answer=_TOKENS,
            )
        ],
    )


def sign_out_operation(schemas: Schemas) -> Operation:
    return Operation(
        id="sessions.delete",
        family=FAMILY,
        path="/sessions/current",
        title="Sign out",
        description="End this session and its sockets, which get the push `bye` with `signed_out`.",
        responses={204: None},
        cookies={204: f"{_CLEAR}, if the request has it and it is not of another session"},
        refusals=GENERAL_REFUSALS,
        examples=[HttpExample(step=103, user="alice", method="DELETE", path="/sessions/current", status=204)],
    )


def _tokens(schemas: Schemas) -> Object:
    """Return the schema of `Tokens` in an answer, which may have the refresh token in a cookie."""
    return schemas.component(
        Tokens.__name__,
        lambda: object_schema(schemas.attributes(Tokens)["properties"], ["refresh_token"]),
    )


_SET = f"Sets the cookie `{REFRESH_COOKIE}`"
_CLEAR = f"Clears the cookie `{REFRESH_COOKIE}`"
_WITHOUT_TOKEN = {code: when for code, when in GENERAL_REFUSALS.items() if code != "unauthenticated"}
_TOKENS: Object = {
    "access_token": TOKEN,
    "refresh_token": REFRESH_TOKEN,
    "expires_in": EXPIRES_IN,
    "user": "alice",
    "device": DEVICE,
}
