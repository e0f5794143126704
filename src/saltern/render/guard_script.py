"""The file by which a node guards, witnesses, and answers DRBD: it finds the core, and the node, by its own place."""

from typing import Final

from saltern.model.places import GUARD_SCRIPT
from saltern.render.header import HEADER

MODE: Final = 0o755

# Without -S: Debian's python3-zmq is found among the packages of the system.
_TEXT: Final = '''\
#!/usr/bin/python3 -I
{header}
"""Guards a node: {script} guard | witness | fence-peer, as systemd and DRBD call it; --help tells more."""

import os
import sys

core = os.path.dirname(os.path.abspath(__file__))
root = core[: -len(os.path.dirname("{script}"))] or "/"
sys.path.insert(0, core)
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed, /usr/bin/python3 is " + sys.version.split()[0])
from saltern.guarding.command import main

sys.exit(main(root=root))
'''


def render() -> str:
    """The text of ``/usr/lib/saltern/guard``, the same on every machine."""
    return _TEXT.format(header=HEADER, script=GUARD_SCRIPT)
