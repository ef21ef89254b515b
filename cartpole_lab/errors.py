"""The one kind of error that is the user's to mend."""


class UserError(ValueError):
    """Something that was asked for cannot be done; the message says what, why, and the command that mends it.

    The command line prints the message as one line and exits with code 2.
    """


class PhysicsUnavailable(UserError):
    """The chosen physics needs something that is not installed here, or may not start."""
