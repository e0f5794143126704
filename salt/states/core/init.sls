# The Saltern core, from the master, into /usr/lib/saltern of the node. Only states that Salt brings itself: nothing of
# ours may be needed to get ours here.
#
# It is there for the node's own Python, which runs the block script of domains: a guest must be able to reboot while
# Salt is upgraded, or gone. The Python that runs this minion is given a link to it.
#
# The package is served as it stands in the source tree (`src` is one of the file roots), so states, modules and core
# always come from the same commit, with nothing to build on the master; it is pure Python over the standard library,
# so copying it is installing it. No pip is needed on the node, whose Python may have none. `file.recurse` compares
# hashes, removes what is no longer there, finishes a copy that was interrupted, and reloads the modules after a
# change: the states that follow in the same run find the core. What only a master needs stays there.
#
# Where pip has installed Saltern (a master that is a minion as well, a developer's checkout), the Python of the minion is
# left to pip; files of another version refuse to load beside it, and say so.
{%- set core = opts.get('saltern', {}).get('root', '').rstrip('/') ~ '/usr/lib/saltern/saltern' %}
{%- set prefix = grains.pythonexecutable.rsplit('/', 2) | first %}
{%- set ns = namespace(libraries=[], installed=[]) %}
{%- for path in grains.pythonpath if path.startswith(prefix ~ '/') %}
{%- if path.endswith(('/site-packages', '/dist-packages')) %}
{%- set ns.libraries = ns.libraries + [path] %}
{%- endif %}
{%- if (path.endswith(('/site-packages', '/dist-packages')) or '/extras-' in path) and salt['file.directory_exists'](path) %}
{%- for name in salt['file.readdir'](path) if name is match('saltern-.*\.dist-info$') %}
{%- set ns.installed = ns.installed + [path ~ '/' ~ name] %}
{%- endfor %}
{%- endif %}
{%- endfor %}
{%- set lines = [] %}
{%- if salt['file.directory_exists'](core) %}
{%- for path, mode in salt['file.find'](core, type='f', name='*.py', print='path,mode') %}
{%- do lines.append(path[core | length + 1:] ~ ' ' ~ mode ~ ' ' ~ salt['file.get_hash'](path)) %}
{%- endfor %}
{%- endif %}
saltern core:
{%- if lines | sort(case_sensitive=True) | join('\n') | sha256 == pillar.get('saltern_core') %}
  test.succeed_without_changes:
    - name: {{ core }} is what the master serves
{%- else %}
  file.recurse:
    - name: {{ core }}
    - source: salt://saltern
    - clean: True
    # Root runs it at every start of a domain, whatever the umask of the minion is.
    - dir_mode: '0755'
    - file_mode: '0644'
    - include_pat: '*.py'
    - exclude_pat: 'E@(__pycache__|^topology/|^sim/|^cli)'
{%- endif %}
# Root's first start of a script would compile it, with a guest waiting; `clean` leaves alone what is excluded.
saltern core in bytecode:
  cmd.run:
    - name: /usr/bin/python3 -IS -m compileall -q '{{ core }}'
    - onchanges:
      - saltern core
saltern core for this minion:
{%- if ns.installed %}
  test.succeed_without_changes:
    - name: pip looks after the core of this minion, in {{ ns.installed | first }}
{%- elif not ns.libraries %}
  test.fail_without_changes:
    - name: >-
        {{ grains.pythonexecutable }} has no site-packages of its own under {{ prefix }}; install Saltern there with pip
{%- else %}
{%- set link = ns.libraries | first ~ '/saltern' %}
{%- set copy = salt['file.directory_exists'](link) and not salt['file.is_link'](link) %}
  file.symlink:
    - name: {{ link }}
    - target: {{ core }}
    - force: True # with test=True the copy is still there
    - reload_modules: True
    - require:
      - saltern core
{%- if copy %}
      - file: copy of an earlier version
copy of an earlier version:
  file.absent:
    - name: {{ link }}
    - require:
      - saltern core
{%- endif %}
{%- endif %}
