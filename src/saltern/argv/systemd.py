"""Command lines of systemctl(1), for the one unit that is ours."""

from typing import Final

GUARD: Final = "saltern-guard.service"


def show() -> list[str]:
    """What systemd knows of it, one ``KEY=VALUE`` a line."""
    return ["systemctl", "show", "--property=LoadState,ActiveState,UnitFileState", GUARD]


def reload() -> list[str]:
    """Read the files of all units again; nothing is started or ended."""
    return ["systemctl", "daemon-reload"]


def enable() -> list[str]:
    """Have it started at each boot."""
    return ["systemctl", "enable", GUARD]


def disable() -> list[str]:
    """Have it not started at the next boot."""
    return ["systemctl", "disable", GUARD]


def start() -> list[str]:
    """Start it."""
    return ["systemctl", "start", GUARD]


def restart() -> list[str]:
    """Ask it to end, and start it again when it has; that may take its time, and is not waited for."""
    return ["systemctl", "--no-block", "restart", GUARD]


def stop() -> list[str]:
    """Ask it to end; that may take its time, and is not waited for."""
    return ["systemctl", "--no-block", "stop", GUARD]
