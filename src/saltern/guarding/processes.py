"""Guard and witness put together, each as the whole of a process: one on a machine, ended by a signal or by what goes wrong."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from saltern.errors import FileError
from saltern.guard.knowledge import WITNESS
from saltern.guarding.journal import Journal
from saltern.guarding.notifying import Notifying
from saltern.guarding.service import GuardService
from saltern.guarding.settings import GuardSettings, Place, read_guard, read_witness
from saltern.guarding.store import GuardStore, WitnessStore
from saltern.guarding.transport import Transport, make_key, read_key
from saltern.guarding.watchdog import Watchdog, XenWatchdog
from saltern.guarding.witnessing import WitnessService
from saltern.model.places import GUARD_LOCK, GUARD_SETTINGS, WITNESS_LOCK, WITNESS_SETTINGS
from saltern.run import Host, LocalHost

_LOOK_S: Final = 1.0
_PATIENCE: Final = 2.0  # times `dead`: nobody who lives is silent for so long
MakeWatchdog = Callable[[Host, GuardStore], Watchdog]
Reach = Callable[[str], str]  # by which address one of the settings is reached from here


def run_guard(root: str, make_watchdog: MakeWatchdog = XenWatchdog, reach: Reach = str) -> None:
    """Be the guard of a node until it may end. Raises ``FileError`` for what keeps it from protecting anything."""
    host = LocalHost(root=root)
    with _alone(host, GUARD_LOCK):
        settings = read_guard(host, GUARD_SETTINGS)
        journal = Journal(host, "guard")
        store = GuardStore(host, time.time)
        known = {name: party.key for name, party in settings.partners.items()}
        witness = {} if settings.witness is None else {WITNESS: settings.witness}
        parties = {
            name: replace(party, address=reach(party.address))
            for name, party in {**settings.partners, **witness}.items()
        }
        listen = replace(settings.listen, address=reach(settings.listen.address))
        patience_s = _PATIENCE * settings.times.dead_s
        transport = Transport(read_key(host), listen, known, parties, patience_s, journal.say)
        watchdog = make_watchdog(host, store)
        with _notifying(host, settings, journal):
            _serve(GuardService(host, root, settings, store, transport, watchdog, journal))


@contextmanager
def _notifying(host: Host, settings: GuardSettings, journal: Journal) -> Iterator[None]:
    """The administrator's command is run for what is decided meanwhile, where there is one."""
    if not settings.notify:
        yield
        return
    about = {"cluster": settings.cluster, "node": settings.node}
    notifying = Notifying(host, settings.notify, about, journal)
    notifying.start()
    yield
    notifying.end()


def run_witness(
    root: str, is_over: Callable[[], bool] = lambda: False, listen_at: Callable[[Place], Place] = lambda told: told
) -> None:
    """Be the witness until a signal comes, or something ``is_over``. ``listen_at`` is where, given what the settings say.

    Raises ``FileError`` for what keeps it from being one.
    """
    host = LocalHost(root=root)
    with _alone(host, WITNESS_LOCK):
        settings = read_witness(host, WITNESS_SETTINGS)
        journal = Journal(host, "witness")
        patience_s = _PATIENCE * settings.times.dead_s
        listen = listen_at(settings.listen)
        transport = Transport(read_key(host), listen, settings.nodes, {}, patience_s, journal.say)
        service = WitnessService(settings, WitnessStore(host), transport, journal)
        threading.Thread(target=_end_when, args=(service, is_over), daemon=True).start()
        _serve(service)


def _end_when(service: WitnessService, is_over: Callable[[], bool]) -> None:
    while not is_over():
        time.sleep(_LOOK_S)
    service.end()


def public_key(root: str) -> str:
    """The public half of the machine's key pair, which is made where there is none."""
    return make_key(LocalHost(root=root)).public


@contextmanager
def _alone(host: Host, lock: str) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(host.hold(lock))
        except BlockingIOError as error:
            remedy = "There is one of a kind on a machine: see `systemctl status`"
            raise FileError(lock, "another process holds it", remedy) from error
        yield


def _serve(service: GuardService | WitnessService) -> None:
    """Run a service: a signal asks it to end, and what goes wrong in any of its threads ends it at once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.end())
    threading.excepthook = _end_at_once
    service.run()


def _end_at_once(what: threading.ExceptHookArgs) -> None:
    """A guard that has lost a part is none. It is started again, and the watchdog bridges that."""
    traceback.print_exception(what.exc_type, what.exc_value, what.exc_traceback)
    os._exit(1)
