# Shuts a domain down; it stays so, whatever is applied, until it is started: salt-run state.orch stop pillar='{domain: dns}'
{%- from 'operation.jinja' import needs, operation with context %}
{%- call needs('stop', {'domain': 'NAME'}) %}
{{ operation({'domain': pillar['domain']}, kind='stop') }}
{%- endcall %}
