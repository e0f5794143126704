# Brings domains home that run elsewhere: salt-run state.orch return pillar='{node: dom0}', or without a node all of them
# `parallel` is how many domains at a time.
{%- from 'operation.jinja' import needs, operation, several with context %}
{%- call needs('return', {}, ['node', 'parallel']) %}
{%- call(options) several() %}
{{ operation({'home': pillar.get('node', '*')}, options=options) }}
{%- endcall %}
{%- endcall %}
