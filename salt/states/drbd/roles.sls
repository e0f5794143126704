# After the domains: a Primary that no domain here uses is demoted, so that the partner can take the domain over.
{%- from "map.jinja" import resources with context %}
include:
  - share
{%- for name in resources %}
{{ name }} role_held:
  drbd.role_held:
    - name: {{ name | json }}
{%- endfor %}
