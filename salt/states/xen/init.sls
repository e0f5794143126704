# The scripts: without the one no disk is attached, without the other no domain moves. What was left of interrupted operations is
# settled. Domains: configured on both of their nodes, started on their home, in start order.
{%- from "map.jinja" import domains with context %}
include:
  - share
{%- if domains %}
block script is installed:
  xen.block_script_installed: []
operation script is installed:
  xen.operation_script_installed: []
{%- endif %}
{%- for step in ('operation_settled', 'domain_configured', 'domain_running') %}
{%- for domain in domains %}
{{ domain.name }} {{ step }}:
  xen.{{ step }}:
    - name: {{ domain.name | json }}
{%- endfor %}
{%- endfor %}
