"""Kit's timeline, to which Isaac Lab subscribes when it starts."""

from unittest.mock import MagicMock

TimelineEventType = MagicMock()
TimelineEventType.STOP = 0
TimelineEventType.PLAY = 1
get_timeline_interface = MagicMock()
