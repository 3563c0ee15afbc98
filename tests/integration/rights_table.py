"""The contract's table of rights, written out by hand from ``docs/protocol.md``.

Every row is a command with its object, and has an answer for each rank in each kind of room:

    +  carried out; a command that appends has written one entry, a reading command shows the room
    =  carried out without a change
    -  carried out, but shows nothing of the room
    i  the room as invited users see it: without ``last``, ``unread`` and markers
    s  the room as users without membership see it: without ``me``, ``last`` and markers
    F  forbidden        N  not_found        I  invalid        U  unauthenticated
    .  not asked

If two rules of the contract apply, rights come first: a user who lacks the right gets ``forbidden`` for every object,
also for the user's own name, for a user who is not a member, and for an unknown user.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["private", "group", "public"]
Rank: TypeAlias = Literal["stranger", "invited", "member", "admin", "owner", "left", "removed", "banned", "blocked"]

KINDS: tuple[Kind, ...] = get_args(Kind)
RANKS: tuple[Rank, ...] = get_args(Rank)
BLOCKED: Rank = "blocked"
"""A member of a private room whom the other user has blocked."""
SHARED_RANKS: tuple[Rank, ...] = tuple(rank for rank in RANKS if rank != BLOCKED)
RANKS_OF: Mapping[Kind, tuple[Rank, ...]] = {
    "private": ("stranger", "member", BLOCKED),
    "group": SHARED_RANKS,
    "public": SHARED_RANKS,
}
UNKNOWING: frozenset[Rank] = frozenset({"stranger", "invited", "left", "removed", "banned"})
"""The ranks that get the same ``not_found`` for a room as for an unborn room."""

_IN_A_ROOM = """
                                     private   group              public
                                     S M B     S I M A O L R B    S I M A O L R B

connect                              - + +     - + + + + - - -    same
message.send                         N + F     N N + + + N N N    same
message.edit own                     N + F     N N + + + N N N    same
message.edit another's               N F F     N N F F F N N N    same
message.delete own                   N + +     N N + + + N N N    same
message.delete another's             N F F     N N F + + N N N    same
message.react on                     N + F     N N + + + N N N    same
message.react off                    N + F     N N + + + N N N    same
history                              N + +     N N + + + N N N    same
sync                                 - + +     - - + + + - - -    same
rooms                                - + +     - + + + + - - -    same
rooms.public                         - - -     - - - - - - - -    s i + + + s s -
room.members                         N + +     N N + + + N N N    same
mark                                 N + +     N N + + + N N N    same
typing                               N + +     N N + + + N N N    same
room.get                             N + +     N i + + + N N N    s i + + + s s N
room.join                            N F F     N + = = = N N N    + + = = = + + N
room.join for another                F F F     F F F F F F F F    same
room.leave                           N F F     N + + + + N N N    same
room.leave, the only owner           . . .     . . + + F . . .    same
room.leave, alone                    . . .     . . . . + . . .    same
room.update                          N F F     N N F + + N N N    same
room.update to the same              N F F     N N F = = N N N    same

room.invite oneself                  N F F     N N F = = N N N    same
room.invite stranger                 N F F     N N F + + N N N    same
room.invite invited                  . . .     N N F = = N N N    same
room.invite member                   N F F     N N F = = N N N    same
room.invite admin                    . . .     N N F = = N N N    same
room.invite owner                    . . .     N N F = = N N N    same
room.invite banned                   . . .     N N F F F N N N    same
room.invite nobody                   N F F     N N F N N N N N    same

room.remove oneself                  N F F     N N F I I N N N    same
room.remove stranger                 N F F     N N F = = N N N    same
room.remove invited                  . . .     N N F + + N N N    same
room.remove member                   N F F     N N F + + N N N    same
room.remove admin                    . . .     N N F F + N N N    same
room.remove owner                    . . .     N N F F + N N N    same
room.remove banned                   . . .     N N F = = N N N    same

room.ban oneself                     N F F     N N F I I N N N    same
room.ban stranger                    N F F     N N F + + N N N    same
room.ban invited                     . . .     N N F + + N N N    same
room.ban member                      N F F     N N F + + N N N    same
room.ban admin                       . . .     N N F F + N N N    same
room.ban owner                       . . .     N N F F + N N N    same
room.ban banned                      . . .     N N F = = N N N    same
room.ban nobody                      N F F     N N F N N N N N    same

room.unban oneself                   N F F     N N F F = N N N    same
room.unban stranger                  N F F     N N F = = N N N    same
room.unban invited                   . . .     N N F = = N N N    same
room.unban member                    N F F     N N F = = N N N    same
room.unban admin                     . . .     N N F F = N N N    same
room.unban owner                     . . .     N N F F = N N N    same
room.unban banned                    . . .     N N F + + N N N    same

room.role oneself owner              N F F     N N I I = N N N    same
room.role oneself admin              N F F     N N I = + N N N    same
room.role oneself member             N F F     N N = + + N N N    same
room.role oneself admin, the only owner    . . .     . . I = F . . .    same
room.role oneself member, the only owner   . . .     . . = + F . . .    same
room.role stranger member            N F F     N N F F N N N N    same
room.role stranger owner             N F F     N N F F N N N N    same
room.role invited member             . . .     N N F F N N N N    same
room.role invited admin              . . .     N N F F N N N N    same
room.role banned member              . . .     N N F F N N N N    same
room.role nobody member              N F F     N N F F N N N N    same
room.role member owner               N F F     N N F F + N N N    same
room.role member admin               N F F     N N F F + N N N    same
room.role member member              N F F     N N F F = N N N    same
room.role admin owner                . . .     N N F F + N N N    same
room.role admin admin                . . .     N N F F = N N N    same
room.role admin member               . . .     N N F F + N N N    same
room.role owner owner                . . .     N N F F = N N N    same
room.role owner admin                . . .     N N F F + N N N    same
room.role owner member               . . .     N N F F + N N N    same
"""

_ANYWHERE = """
                                     anonymous   expired   signed in

message.send to a stranger           U           U         +
message.send to nobody               U           U         N
history with a stranger              U           U         +
history with nobody                  U           U         N
unread                               U           U         +
profiles of a stranger               U           U         +
profiles of nobody                   U           U         +
people                               U           U         +
rooms.public                         U           U         +
block a stranger                     U           U         +
block nobody                         U           U         N
block oneself                        U           U         I
unblock a stranger                   U           U         +
unblock nobody                       U           U         +
blocks                               U           U         +
presence of a stranger               U           U         +
presence of nobody                   U           U         +
presence of a blocker                U           U         +
presence.set                         .           .         +
message.send to a blocker            U           U         F
history with a blocker               U           U         +
room.create with a blocker           U           U         F
room.create                          U           U         +
room.create with a stranger          U           U         +
room.create with nobody              U           U         N
auth.refresh with one's own token    .           .         +
auth.refresh with another's token    .           .         U
auth.refresh with an expired token   .           .         U
sign up                              +           +         +
sign in                              +           +         +
refresh                              +           +         +
sign out                             U           U         +
list sockets                         U           U         +
end one's own socket                 .           .         +
end another's socket                 U           U         N
end a socket that never was          U           U         N
"""


def _in_a_room(line: str) -> tuple[str, Mapping[Kind, Mapping[Rank, str]]]:
    name, *letters = (part for part in line.split("  ") if part)
    private, group, public = (column.split() for column in letters)
    columns: Mapping[Kind, list[str]] = {"private": private, "group": group, "public": public}
    if public == ["same"]:
        columns = {**columns, "public": group}
    return name, {kind: dict(zip(RANKS_OF[kind], columns[kind], strict=True)) for kind in KINDS}


def _anywhere(line: str) -> tuple[str, Mapping[str, str]]:
    name, *letters = (part.strip() for part in line.split("  ") if part.strip())
    return name, dict(zip(("anonymous", "expired", "signed in"), letters, strict=True))


def _lines(table: str, headings: int) -> list[str]:
    return [line for line in table.splitlines() if line][headings:]


IN_A_ROOM = dict(map(_in_a_room, _lines(_IN_A_ROOM, 2)))
"""The letters of each command in a room, by kind of room and rank. Without a valid token every letter is ``U``."""
ANYWHERE = dict(map(_anywhere, _lines(_ANYWHERE, 1)))
"""The letters of the rows without a room."""
