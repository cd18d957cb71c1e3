"""What `python -m imports_app` runs."""

import sys

from . import VALUE

spec = sys.modules["__main__"].__spec__
print(__name__, __package__, __file__, spec.name, VALUE, sys.argv[0] == __file__, sys.argv[1:])
