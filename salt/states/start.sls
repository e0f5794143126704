# Starts a domain that is stopped, at home or on `target`: salt-run state.orch start pillar='{domain: dns}'
{%- from 'operation.jinja' import needs, operation with context %}
{%- call needs('start', {'domain': 'NAME'}, ['target']) %}
{{ operation({'domain': pillar['domain'], 'target': pillar.get('target')}, kind='start') }}
{%- endcall %}
