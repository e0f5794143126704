# The guard: told what the topology says, and running with it. It comes before any disk is up: what it does not know of could start
# here without a lease, and be taken over elsewhere meanwhile; and DRBD would ask it in vain. Domains are started after that, and
# wait for the lease. Where the topology has no automatic takeover, `guard.gone` ends a guard that is there.
{%- from "map.jinja" import guard, root with context %}
include:
  - share
{%- if guard %}
{%- if not root %}
# What guards speak with. Simulated nodes have that of the machine they are on.
packages of the guard:
  pkg.installed:
    - name: python3-zmq
    - require_in:
      - guard: guard is running
{%- endif %}
guard is configured:
  guard.configured: []
guard is running:
  guard.running: []
{%- endif %}
