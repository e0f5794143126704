# Starts a domain that is stopped, at home or on `target`: salt-run state.orch start pillar='{domain: dns}'
{%- from 'operation.jinja' import operation with context %}
{{ operation({'domain': pillar['domain'], 'target': pillar.get('target')}, kind='start') }}
