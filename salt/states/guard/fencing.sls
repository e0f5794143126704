# DRBD is told to ask the guard before a side goes on alone: a Primary that loses its partner waits for as long as nobody answers. So
# it comes when the guard runs, and before a domain is started whose other copy would not be marked otherwise.
{%- from "map.jinja" import guard, resources with context %}
include:
  - share
  - guard
{%- if guard %}
{%- for name in resources %}
{{ name }} fenced:
  drbd.fenced:
    - name: {{ name | json }}
    - require:
      - guard: guard is running
{%- endfor %}
{%- endif %}
