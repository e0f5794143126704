# The guard: told what the topology says, and running with it. It comes last: by then everybody has told its key. When it runs, and
# not before, DRBD is told to ask it: a Primary that loses its partner waits for as long as nobody answers. Where the
# topology has no automatic takeover, or no longer, DRBD asks no more, and then a guard that is there is ended in order.
{%- from "map.jinja" import guard, resources, root with context %}
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
{%- for name in resources %}
{{ name }} fenced:
  drbd.fenced:
    - name: {{ name | json }}
    - require:
      - guard: guard is running
{%- endfor %}
{%- elif 'guard.status' in salt and salt['file.file_exists'](root ~ '/etc/saltern/guard.json') %}
guard is gone:
  guard.absent: []
{%- endif %}
