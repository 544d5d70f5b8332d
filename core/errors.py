"""The errors people see. Each message is one line: what is wrong, which value, and the cure."""


class HandoffError(Exception):
    """Base of everything the command line turns into one line and exit code 1."""


class BadInputError(HandoffError):
    """Data from outside does not hold what it must."""


class MissingExtraError(HandoffError):
    """An optional part is not installed; the message holds the command that installs it."""


class StorageError(HandoffError):
    """A file cannot be read or written: missing, read-only, or the disk is full."""


class StaleError(HandoffError):
    """An output does not match the mark of the stage that should have made it."""
