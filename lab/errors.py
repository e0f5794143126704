"""What goes wrong in the lab, in words for the person at the keyboard."""


class LabError(Exception):
    """The text names the place, what was found and what to do about it."""


class TimedOut(LabError):
    """Something did not happen within the time that was given to it."""
