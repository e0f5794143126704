# Brings domains home that run elsewhere: salt-run state.orch return pillar='{node: dom0}', or without a node all of them
# `parallel` is how many domains at a time.
{%- from 'operation.jinja' import operation with context %}
{{ operation({'home': pillar.get('node', '*')}, options={'parallel': pillar.get('parallel', 2)}) }}
