"""The chat page: its files, and how they are served. `page/` is the source, and what is served is the source."""

from .serving import MISSING as MISSING
from .serving import is_complete as is_complete
from .serving import page_endpoints as page_endpoints
