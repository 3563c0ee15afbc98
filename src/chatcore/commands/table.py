"""The table of all commands. The Socket.IO events and the HTTP routes are made from it alone."""

from collections.abc import Mapping
from typing import Any

from .auth import RefreshAuth
from .blocks import BlockUser, ListBlocks, UnblockUser
from .command import Command
from .history import History
from .markers import Mark, Unread
from .membership import (
    BanUser,
    ChangeRole,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    ListMembers,
    RemoveUser,
    UnbanUser,
)
from .messages import DeleteMessage, EditMessage, React, SendMessage
from .people import FindPeople
from .presence import GetPresence, SetPresence
from .profiles import Profiles
from .rooms import CreateRoom, GetRoom, ListPublicRooms, ListRooms, UpdateRoom
from .sync import Sync
from .typing import SetTyping

COMMANDS: Mapping[str, type[Command[Any]]] = {
    command.name: command
    for command in (
        SendMessage,
        EditMessage,
        DeleteMessage,
        React,
        History,
        Sync,
        ListRooms,
        ListPublicRooms,
        GetRoom,
        CreateRoom,
        UpdateRoom,
        JoinRoom,
        LeaveRoom,
        InviteUser,
        RemoveUser,
        BanUser,
        UnbanUser,
        ChangeRole,
        ListMembers,
        Mark,
        Unread,
        Profiles,
        BlockUser,
        UnblockUser,
        ListBlocks,
        FindPeople,
        SetTyping,
        SetPresence,
        GetPresence,
        RefreshAuth,
    )
}
