# Says so when this minion has nothing to build, or when nobody has checked what it was given.
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
{%- elif 'slice_version' not in pillar['saltern'] %}
unchecked topology in the pillar:
  test.fail_without_changes:
    - name: >-
        the pillar holds a topology that was not compiled. Configure the master with `ext_pillar: [{saltern: {}}]` and
        `pillar_dirs`, then run again
{%- else %}
{}
{%- endif %}
