# Says so when this minion has nothing to build, or when nobody has checked what it was given.
{%- from "map.jinja" import blind, domains, only with context %}
{%- if 'saltern' not in pillar %}
no topology in the pillar:
  test.fail_without_changes:
    - name: >-
        the pillar of this minion has no key `saltern`. Write a topology, and let the pillar's top file give it to this
        minion
{%- elif not pillar['saltern'] %}
not a node of the cluster:
  test.succeed_without_changes:
    - name: >-
        the topology does not name {{ grains.id }} under `saltern:nodes`, so there is nothing to build here
{%- elif 'witness' in pillar['saltern'] %}
{}
{%- elif 'slice_version' not in pillar['saltern'] %}
unchecked topology in the pillar:
  test.fail_without_changes:
    - name: >-
        the pillar holds a topology that was not compiled. Configure the master with `ext_pillar: [{saltern: {}}]` and
        `pillar_dirs`, then run again
{%- elif blind %}
no core on this minion yet:
  test.fail_without_changes:
    - name: >-
        this minion has no Saltern core yet, so a dry run cannot look at the node. Run `salt {{ grains.id }} saltutil.sync_all`
        and `salt {{ grains.id }} state.apply core`, which change nothing but that; then run again
{%- elif only is not none and not domains %}
no such domain on this minion:
  test.fail_without_changes:
    - name: {{ ('the pillar has `saltern_domain: ' ~ only ~ '`, and the topology gives ' ~ grains.id ~ ' no such domain; it has '
        ~ pillar['saltern']['domains'] | map(attribute='name') | join(', ') ~ '. Correct the name, or take it out') | json }}
{%- else %}
{}
{%- endif %}
