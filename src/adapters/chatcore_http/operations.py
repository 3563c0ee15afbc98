"""What an endpoint takes and answers, for the documents of the contract."""

from collections.abc import Mapping, Sequence
from typing import Literal

from attrs import field, frozen

from chatcore.protocol import Object


@frozen
class Parameter:
    """A parameter in the path or in the query."""

    name: str
    place: Literal["path", "query"]
    schema: Object
    is_required: bool = True


@frozen(kw_only=True)
class HttpExample:
    """A request of a user, and the response to it.

    Attributes:
        command: the command that the request carries, if it carries one.
        step: its place among the examples of all endpoints, which are one story.
        user: the user whose access token it carries; None for a request without a token.
        path: the path below the API's prefix, percent-encoded, with its query.
        values: the values of the parameters, by name.
        body: the object in its body; None for no body.
        answer: the object in the response; None for no body.
    """

    command: str | None = None
    step: int
    user: str | None
    method: str
    path: str
    values: Mapping[str, object] = field(factory=dict)
    body: Object | None = None
    status: int
    answer: Object | None = None


@frozen(kw_only=True)
class Operation:
    """What an endpoint does.

    Attributes:
        id: a name that no other endpoint has.
        family: the heading under which it is described.
        path: the template of its path, in which no two fields have the same name.
        title: what it does, in a few words.
        commands: the names of the commands that it serves.
        description: the same in full.
        body: the schema of the object in the body; None if it takes no body.
        cookie: the name of the cookie that a request may have; None if it takes no cookie.
        responses: the schemas of its answers by status; None for an answer without a body.
        cookies: what ``Set-Cookie`` does in an answer, by status.
        refusals: codes of errors, and when it is refused with them.
        needs_token: whether a request needs an access token.
        examples: requests that succeed, or are refused for a reason that is special to the endpoint.
    """

    id: str
    family: str
    path: str
    title: str
    commands: Sequence[str] = ()
    description: str
    parameters: Sequence[Parameter] = ()
    body: Object | None = None
    cookie: str | None = None
    responses: Mapping[int, Object | None]
    cookies: Mapping[int, str] = field(factory=dict)
    refusals: Mapping[str, str]
    needs_token: bool = True
    examples: Sequence[HttpExample] = ()
