"""Configurations that are tried on standard input are judged as they were when that was recorded."""

import pytest
from contract_steps import synced
from contract_target import Target, transcript

DOMAINS = (*range(410, 420), *range(421, 435), 446, 447, 448, 459, 460, 488, 490)
RESOURCES = range(435, 446)


def judged_as_recorded(target: Target, number: int, mark: str) -> None:
    """Each recording shows the file first, up to a mark."""
    recorded = transcript(number)
    path = recorded.command.split()[1].rstrip(";")
    target.write_file(recorded.node, path, recorded.answer.stdout.partition(mark)[0])
    assert target.run(recorded.node, recorded.command) == recorded.answer


@pytest.mark.parametrize("number", DOMAINS)
def test_xl_judges_the_configuration_of_a_domain_as_recorded(target: Target, number: int) -> None:
    judged_as_recorded(target, number, "--- xl:\n")


@pytest.mark.parametrize("number", RESOURCES)
def test_drbdadm_judges_the_configuration_of_a_resource_as_recorded(target: Target, number: int) -> None:
    target.start(synced)
    judged_as_recorded(target, number, "--- drbdadm:\n")
