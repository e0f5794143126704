# The Saltern core, from the master, into the site-packages of the Python that runs this minion. Only states that Salt
# brings itself: nothing of ours may be needed to get ours here.
#
# The package is served as it stands in the source tree (`src` is one of the file roots), so states, modules and core
# always come from the same commit, with nothing to build on the master; it is pure Python over the standard library,
# so copying it is installing it. No pip is needed on the node, whose Python may have none. `file.recurse` compares
# hashes, removes what is no longer there, finishes a copy that was interrupted, and reloads the modules after a
# change: the states that follow in the same run find the core. What only a master needs stays there.
{%- set library = grains.pythonpath | select('match', '.*/(site|dist)-packages$') | first %}
saltern core:
  file.recurse:
    - name: {{ library }}/saltern
    - source: salt://saltern
    - clean: True
    - include_pat: '*.py'
    - exclude_pat: 'E@(__pycache__|^topology/|^sim/|^cli)'
