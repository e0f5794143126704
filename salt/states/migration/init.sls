# The partners' keys are let in. It comes last: by then a partner that is applied at the same time has told its own.
{%- from "map.jinja" import domains with context %}
include:
  - share
{%- if domains %}
partners are trusted:
  migration.partners_trusted: []
{%- endif %}
