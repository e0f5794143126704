# Shuts a domain down; it stays so, whatever is applied, until it is started: salt-run state.orch stop pillar='{domain: dns}'
{%- from 'operation.jinja' import operation with context %}
{{ operation({'domain': pillar['domain']}, kind='stop') }}
