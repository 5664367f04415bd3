"""What can go wrong in a job before or beside the rows, as errors that name the way out."""


class JobError(Exception):
    """Base of every error a job raises on purpose; its message is meant for the user."""


class ManifestError(JobError):
    """The manifest cannot be used; the message names the column, the row and the remedy."""


class ConfigError(JobError):
    """A configuration file cannot be used; the message names the file, the key and what it must be."""


class BusyError(JobError):
    """Someone else is at work on the same output; the same command may work later."""


class PlanError(JobError):
    """The output already holds another plan, or its plan cannot be read."""


class StorageError(JobError):
    """A store cannot be reached, refuses access, or lacks what the job needs."""


class NotFoundInStoreError(StorageError):
    """The named object or file does not exist."""


class TooLargeError(StorageError):
    """An object or file is larger than what is allowed; none of it was read."""


class StorageUnavailableError(StorageError):
    """A store does not answer, or not properly, for now: no row is at fault, and the same request may work later."""


class CredentialsError(StorageError):
    """A store does not accept who asks: no row is at fault, and none would fare better."""
