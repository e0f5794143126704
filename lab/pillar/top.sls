base:
  '*':
    - saltern
    - saltern.allocation
