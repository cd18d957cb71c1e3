"""Uses native wheels, and says of each what came of it: `NAME: ok`, or the error.

Arguments: the checks to run; none: all. Exit code 1 if one failed.
"""

import sys

import checks

if __name__ == "__main__":
    sys.exit(checks.main(sys.argv[1:]))
