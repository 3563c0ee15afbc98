"""The one table of commands. The Socket.IO events and the HTTP routes are made from it, and from nothing else."""

from collections.abc import Mapping
from typing import Any

from .command import Command
from .messages import SendMessage
from .reading import History, ListRooms, Sync
from .rooms import CreateRoom, GetRoom, JoinRoom

COMMANDS: Mapping[str, type[Command[Any]]] = {
    command.name: command for command in (SendMessage, History, Sync, ListRooms, GetRoom, CreateRoom, JoinRoom)
}
