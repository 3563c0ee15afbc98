"""Conversion between wire objects and the domain: commands, entries, answers and pushes (``docs/protocol.md``).

Wire objects are plain dicts. Adapters convert them to and from bytes.
"""

from .answers import answer_object as answer_object
from .command_reader import read_command as read_command
from .events import KINDS as KINDS
from .events import event_object as event_object
from .events import opens_object as opens_object
from .objects import entry_object as entry_object
from .objects import error_object as error_object
from .pushes import push_object as push_object
from .texts import answer_text as answer_text
from .texts import push_text as push_text
from .values import Object as Object
from .values import timestamp as timestamp
