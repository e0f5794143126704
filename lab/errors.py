"""What goes wrong in the lab, in words for the person at the keyboard."""


class LabError(Exception):
    """The text names the place, what was found and what to do about it."""


class TimedOut(LabError):
    """Something did not happen in its time; SALTERN_LAB_PATIENCE makes all times longer."""


class CommandFailed(LabError):
    """A command on a node, or Salt on the master, ended with an exit code other than 0."""

    def __init__(self, where: str, command: str, returncode: int, stdout: str, stderr: str) -> None:
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        said = "\n".join(text.strip() for text in (stdout, stderr) if text.strip())
        super().__init__(f"{where}: `{command}` ended with {returncode}\n{said}".rstrip())
