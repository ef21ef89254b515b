"""Kit's settings, which Isaac Lab fills when it starts."""

from unittest.mock import MagicMock

settings = MagicMock()
