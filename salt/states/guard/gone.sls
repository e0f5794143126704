# Where the topology has no automatic takeover, or no longer, a guard that is there is ended in order. It comes last: until DRBD and
# everybody else no longer ask it, it answers.
{%- from "map.jinja" import guard, root with context %}
include:
  - share
{%- set told = salt['file.file_exists'](root ~ '/etc/saltern/guard.json') %}
{%- set there = told or salt['file.file_exists'](root ~ '/etc/systemd/system/saltern-guard.service') %}
{%- if not guard and there and 'guard.status' in salt %}
guard is gone:
  guard.absent: []
{%- endif %}
