"""Commands for people, and a shell that has them on its PATH: what the demo and the lab have in common."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def salt_argv(program: str, configuration: Path, python: str = sys.executable) -> list[str]:
    """The command line of one of Salt's programs with its own configuration directory, without arguments."""
    # Salt 3008 reports objects of its own that it did not close, past all settings of its log.
    code = "import logging, sys, warnings; logging.lastResort = None; from salt import scripts; "
    # Of salt.utils.pycrypto. It comes after Salt's own filters, which have the warnings of its modules shown.
    code += "warnings.filterwarnings('ignore', '.crypt. is deprecated', DeprecationWarning); "
    main = "salt_main" if program == "salt" else program.replace("-", "_")
    code += f"sys.argv[0] = '{program}'; scripts.{main}()"
    return [python, "-c", code, "-c", str(configuration)]


def write_script(path: Path, line: str) -> None:
    """Write an executable that is one line of shell."""
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def shell(name: str, commands: Path, variables: Mapping[str, str]) -> None:
    """Run a shell until it is left; the executables in ``commands`` come first, however the last command in it ended."""
    environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "PS1": f"{name}$ ", **variables}
    argv = [os.environ.get("SHELL", "/bin/sh")]
    if argv[0].endswith("bash"):
        argv.append("--norc")  # it could put something else first on the PATH
    subprocess.run(argv, env=environment, check=False)
