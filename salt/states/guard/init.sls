# The guard: told what the topology says, and running with it. It comes before any disk is up: what it does not know of could start
# here without a lease, and be taken over elsewhere meanwhile; and DRBD would ask it in vain. Domains are started after that, and
# wait for the lease. Where the topology has no automatic takeover, `guard.gone` ends a guard that is there.
{%- from "map.jinja" import guard with context %}
include:
  - share
{%- if guard %}
guard is configured:
  guard.configured: []
guard is running:
  guard.running: []
{%- endif %}
