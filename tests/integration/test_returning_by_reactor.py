"""The reactor on the master brings domains home when the minion of their home starts."""

import time

from minions import NODES, Salted

_PATIENCE_S = 300


def where(salted: Salted) -> dict[str, list[str]]:
    return {node: [name for name in salted.domains(node) if name in ("dns", "router")] for node in NODES}


def until(salted: Salted, wanted: dict[str, list[str]]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while where(salted) != wanted:
        assert time.monotonic() < deadline, where(salted)
        time.sleep(1)


def test_a_domain_comes_home_when_its_minion_starts_and_one_that_was_put_there_does_not(converged: Salted) -> None:
    converged.edit("  cluster: example\n", "  cluster: example\n  return: automatic\n")
    assert converged.run("state.orch", "migrate", "pillar={domain: router}")[0] == 0  # somebody wants it there
    converged.on("dom0", "xl", "migrate", "dns", "dom0m")
    assert where(converged) == {"dom0": [], "dom0m": ["dns", "router"]}
    minion = converged.minions["dom0"]
    minion.terminate()
    minion.start()
    until(converged, {"dom0": ["dns"], "dom0m": ["router"]})
    for about in ("dom0", "dom0", "printer"):  # late, doubled, and about another machine
        converged.salt("event.send", f"salt/minion/{about}/start", target="dom0")
    assert converged.run("operation.return_automatic", "dom0")[0] == 0
    assert where(converged) == {"dom0": ["dns"], "dom0m": ["router"]}
