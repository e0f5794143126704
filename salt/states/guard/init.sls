# The guard: told what the topology says, and running with it. It comes last: by then everybody has told its key. Where the
# topology has no automatic takeover, or no longer, a guard that is there is ended in order.
{%- from "map.jinja" import guard, root with context %}
include:
  - share
{%- if guard %}
{%- if not root %}
# A node that is simulated in a directory has the packages of its machine.
python3-zmq:
  pkg.installed: []
{%- endif %}
guard is configured:
  guard.configured: []
guard is running:
  guard.running: []
{%- elif 'guard.status' in salt and salt['file.file_exists'](root ~ '/etc/saltern/guard.json') %}
guard is gone:
  guard.absent: []
{%- endif %}
