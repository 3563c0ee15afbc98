"""What tests of a host, of a transport and of a store stand on. The only place in chatcore that needs pytest."""

import pytest

pytest.register_assert_rewrite(__name__)

from .recorder import Recorder as Recorder  # noqa: E402
