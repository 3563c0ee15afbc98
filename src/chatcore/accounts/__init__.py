"""The bundled accounts, for hosts without users of their own: sign-up, sessions, tokens."""

from .accounts import Accounts as Accounts
from .accounts import Tokens as Tokens
from .ports import AccountStore as AccountStore
from .ports import Normaliser as Normaliser
from .ports import PasswordHasher as PasswordHasher
from .ports import Rotation as Rotation
from .ports import Session as Session
from .ports import TokenIssuer as TokenIssuer
