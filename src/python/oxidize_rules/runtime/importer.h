/* The importer: modules of the image through one look-up in its table. */
#ifndef OXIDIZE_IMPORTER_H
#define OXIDIZE_IMPORTER_H

#include <Python.h>

/* The built-in module `_oxidized`, to be given to PyImport_AppendInittab() before start. */
PyMODINIT_FUNC PyInit__oxidized(void);

/* Put a finder at the head of this interpreter's sys.meta_path, once importlib's external half is
 * there. -1 with an exception set on failure. */
int oxidize_install_importer(void);

#endif
