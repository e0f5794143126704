"""
The witness of a cluster, as an engine
======================================

The third vote for the guards of the nodes. It runs beside the minion of a machine that is no node, which may be that of the
master, and may end with it at any time: what it has promised is on the disk before it is answered.

.. versionadded:: 0.1.0

Configuration of the minion (the settings and the key are root's, so it is none for a master that runs as another user):

.. code-block:: yaml

    engines:
      - saltern_witness: {}

The state ``guard.witness`` writes the settings and makes the key. Until then the engine waits. A machine that has not the
address by which the nodes reach it, such as one behind a router, is told with ``address`` where to listen, and with ``port``
where that is another one as well:

.. code-block:: yaml

    engines:
      - saltern_witness:
          address: 10.0.0.5
          port: 7781
"""

import logging
import os
import time
from dataclasses import replace

WRITTEN_FOR = "0.1.0"

try:
    from saltern import loaded
except ImportError:
    saltern = None
else:
    saltern = loaded.current()
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge, loaded
        from saltern.errors import SalternError
        from saltern.guarding.processes import run_witness
        from saltern.model.places import WITNESS_SETTINGS
        from saltern.run import LocalHost

__virtualname__ = "saltern_witness"
_AGAIN_S = 2
log = logging.getLogger(__name__)


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in this Python is {found}"


def start(address=None, port=None):
    """
    Be the witness, at ``address`` and ``port`` or where the topology says. When its settings change it begins anew with them;
    when the core is replaced, or the process that has started it is gone, it ends, and Salt starts it again.
    """
    parent = os.getppid()

    def at(told):
        return replace(told, address=address or told.address, port=port or told.port)

    while loaded.is_current() and os.getppid() == parent:
        settings = _settings()
        changed = _Changed(settings, parent)
        try:
            run_witness(bridge.root(__opts__), changed, at)
        except SalternError as error:
            log.warning("The witness does not begin: %s", error)
            time.sleep(_AGAIN_S)
        else:
            if not changed():  # a signal has ended it
                return


def _settings():
    return LocalHost(root=bridge.root(__opts__)).read_text(WITNESS_SETTINGS)


class _Changed:
    """Whether anything is no longer as it was when the witness began."""

    def __init__(self, settings, parent):
        self._settings, self._parent = settings, parent

    def __call__(self):
        return _settings() != self._settings or not loaded.is_current() or os.getppid() != self._parent
