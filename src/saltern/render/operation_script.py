"""The file by which a node does its half of an operation: it finds the core, and the node it belongs to, by its own place."""

from typing import Final

from saltern.model.places import OPERATION_SCRIPT
from saltern.render.header import HEADER

MODE: Final = 0o755

_TEXT: Final = '''\
#!/usr/bin/python3 -IS
{header}
"""Does a half of an operation: {script} send|start|stop DOMAIN ID | connect | receive, as Saltern, xl and sshd call it."""

import os
import sys

core = os.path.dirname(os.path.abspath(__file__))
root = core[: -len(os.path.dirname("{script}"))] or "/"
sys.path.insert(0, core)
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed, /usr/bin/python3 is " + sys.version.split()[0])
from saltern.work import main

sys.exit(main(sys.argv[1:], os.environ, root))
'''


def render() -> str:
    """The text of ``/usr/lib/saltern/operation``, the same on every node."""
    return _TEXT.format(header=HEADER, script=OPERATION_SCRIPT)
