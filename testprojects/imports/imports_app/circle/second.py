"""The other half: finds `first` begun, without what comes below its import."""

import imports_app.circle.first as first

from . import first as again

VALUE = "second"
seen_early = (first is again, hasattr(first, "VALUE"))
