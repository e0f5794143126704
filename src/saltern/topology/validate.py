"""All rules that need more than one place of the topology."""

from saltern.errors import Violation
from saltern.model.topology import Cluster
from saltern.topology.load import Loaded


def violations(loaded: Loaded, cluster: Cluster) -> tuple[Violation, ...]:
    """Every rule that the topology breaks."""
    return loaded.violations
