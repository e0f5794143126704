# Where the topology has no automatic takeover, or no longer, a guard that is there is ended in order. It comes last: until DRBD and
# everybody else no longer ask it, it answers.
{%- from "map.jinja" import guard, root with context %}
include:
  - share
{%- if not guard and 'guard.status' in salt and salt['file.file_exists'](root ~ '/etc/saltern/guard.json') %}
guard is gone:
  guard.absent: []
{%- endif %}
