"""What the bundled accounts need from the outside. One file a port; the docstrings are the contract."""

from .account_store import AccountStore as AccountStore
from .account_store import Rotation as Rotation
from .account_store import Session as Session
from .normaliser import Normaliser as Normaliser
from .password_hasher import PasswordHasher as PasswordHasher
from .token_issuer import TokenIssuer as TokenIssuer
