"""Agent settings, one file a library and task kind."""
