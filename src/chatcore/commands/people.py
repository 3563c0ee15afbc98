"""The command that finds users by the start of a name."""

from collections.abc import Sequence
from typing import ClassVar

from attrs import field, frozen

from ..domain.names import search_form
from ..ids import UserId
from . import fields
from .command import Context, ReadingCommand, Route, Routes

ASKED_MAX = 1_600
"""The most users that a search looks at. Whoever is blocked by most of them finds fewer than there are."""


@frozen(kw_only=True)
class Person:
    """A user, and the name that the user has, if any."""

    user: UserId
    name: str | None = None


@frozen(kw_only=True)
class PeopleResult:
    """The answer of `FindPeople`: the found users, in the order to show them."""

    people: Sequence[Person]


@frozen(kw_only=True)
class FindPeople(ReadingCommand[PeopleResult]):
    """Find users whose id or name begins with ``prefix``, without those who have blocked the user.

    Case, width and composition of characters make no difference. Without ``Chat(people=…)`` nobody is found.
    """

    name = "people"
    routes: ClassVar[Routes] = (Route("GET", "/users"),)

    prefix: str = field(validator=fields.prefix)
    limit: int = field(default=50, validator=fields.integer(1, fields.PAGE_MAX))

    async def handle(self, context: Context) -> PeopleResult:
        if context.people is None:
            return PeopleResult(people=[])
        asked = self.limit
        while True:
            found = await context.people(search_form(self.prefix), asked)
            blocks = await context.store.blocks_among([(user, context.user) for user in found])
            shown = [user for user in found if (user, context.user) not in blocks]
            if len(shown) >= self.limit or len(found) < asked or asked >= ASKED_MAX:
                people = [Person(user=user, name=found[user].name) for user in shown[: self.limit]]
                return PeopleResult(people=people)
            asked *= 2
