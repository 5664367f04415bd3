"""What can go wrong in the library, as errors that name the cause and the way out."""


class IftError(Exception):
    """Base of every error that ift raises on purpose; its message is meant for the user."""


class ImageError(IftError):
    """A picture cannot be read, is too large, or cannot be written."""


class WeightsError(IftError):
    """A weight file is missing, unsafe or not what the model needs."""


class SettingsError(IftError):
    """A setting is out of its range or contradicts another one."""


class DivergenceError(IftError):
    """The published fixed step left the objective higher than it found it."""
