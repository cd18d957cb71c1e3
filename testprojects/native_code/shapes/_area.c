/* Areas in C. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>

static PyObject *rectangle(PyObject *module, PyObject *args) {
  double width, height;
  (void)module;
  if (!PyArg_ParseTuple(args, "dd", &width, &height)) return NULL;
  if (isnan(width) || isnan(height) || width < 0 || height < 0) {
    PyErr_SetString(PyExc_ValueError, "a side is negative or no number");
    return NULL;
  }
  return PyFloat_FromDouble(fma(width, height, 0.0));
}

static PyMethodDef methods[] = {
    {"rectangle", rectangle, METH_VARARGS, "The area of a rectangle."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef area = {
    PyModuleDef_HEAD_INIT, "_area", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__area(void) { return PyModuleDef_Init(&area); }
