"""All figures, printed as one table: `make bench`."""

from bench.apply import apply
from bench.topology import topology

topology()
apply()
