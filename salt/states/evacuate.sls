# Moves all that runs on a node to its partners: salt-run state.orch evacuate pillar='{node: dom0}'
# `parallel` is how many domains at a time; with `offline: True` they are shut down here and started there.
{%- from 'operation.jinja' import moving, needs, operation, several with context %}
{%- call needs('evacuate', {'node': 'NODE'}, ['parallel', 'offline']) %}
{%- call(options) several() %}
{{ operation(
  {'evacuate': pillar['node']},
  kind=moving(),
  options=options,
) }}
{%- endcall %}
{%- endcall %}
