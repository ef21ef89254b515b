"""Kit's application object, as far as Isaac Lab asks for it when it starts."""

from unittest.mock import MagicMock

running = False
_app = MagicMock()


def get_app() -> MagicMock | None:
    """The application, once it runs."""
    return _app if running else None
