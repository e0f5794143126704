"""The file that libxl starts: it finds the core, or refuses by itself where it does not."""

from typing import Final

from saltern.model.places import BLOCK_SCRIPT, CORE
from saltern.render.header import HEADER

MODE: Final = 0o755  # libxl executes it

# It has to be read by any Python 3, since it is what tells that a node's is too old.
_TEXT: Final = '''\
#!/usr/bin/python3 -IS
{header}
"""Gives a DRBD resource to a domain as its disk: {script} add | remove, as libxl calls it."""

import os
import sys

sys.path.insert(0, "{core}")
try:
    if sys.version_info < (3, 11):
        raise ImportError("Python 3.11 or newer is needed, /usr/bin/python3 is " + sys.version.split()[0])
    from saltern.block_script import main
except Exception as error:
    import subprocess

    reason = "{script} cannot use Saltern's core in {core}: %s. Apply the state `core` to this node" % error
    print(reason, file=sys.stderr)
    if sys.argv[1:] == ["add"]:
        path = os.environ["XENBUS_PATH"]
        answer = [path + "/hotplug-error", reason, path + "/hotplug-status", "error"]
        subprocess.call(["xenstore-write"] + answer, env={{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}})
    sys.exit(1)
sys.exit(main(sys.argv[1:], os.environ))
'''


def render() -> str:
    """The text of ``/etc/xen/scripts/block-saltern``, the same on every node."""
    return _TEXT.format(header=HEADER, script=BLOCK_SCRIPT, core=CORE)
