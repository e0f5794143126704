# What others know this node by, long before they need it; what DRBD will call when it has lost its partner; and, where this node
# switches partners off, what does that.
{%- from "map.jinja" import guard, root with context %}
include:
  - share
{%- if guard %}
guard script is installed:
  guard.script_installed: []
guard key is present:
  guard.key_present: []
{%- if guard.fencing and not root %}
fence agents are installed:
  pkg.installed:
    - name: fence-agents
{%- endif %}
{%- endif %}
