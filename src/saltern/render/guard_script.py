"""The file by which a node guards, witnesses, and answers DRBD: it finds the core by its own place."""

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

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed, /usr/bin/python3 is " + sys.version.split()[0])
from saltern.guarding.command import main

sys.exit(main())
'''


def render() -> str:
    """The text of ``/usr/lib/saltern/guard``, the same on every machine."""
    return _TEXT.format(header=HEADER, script=GUARD_SCRIPT)
