// Names in C++: exceptions that are thrown and caught, destructors on the way, streams, threads.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <iomanip>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

int left = 0;

struct Counted {
  ~Counted() { ++left; }
};

const std::string &name_of(int corners) {
  Counted counted;
  static const std::map<int, std::string> names = {{3, "triangle"}, {4, "rectangle"}};
  return names.at(corners);  // throws std::out_of_range
}

PyObject *describe(PyObject *, PyObject *args) {
  int corners;
  double area;
  if (!PyArg_ParseTuple(args, "id", &corners, &area)) return nullptr;
  try {
    std::ostringstream text;
    text << name_of(corners) << " of " << std::fixed << std::setprecision(2) << area;
    const std::string result = text.str();
    return PyUnicode_FromStringAndSize(result.data(), static_cast<Py_ssize_t>(result.size()));
  } catch (const std::out_of_range &) {
    PyErr_Format(PyExc_LookupError, "no shape has %d corners", corners);
    return nullptr;
  }
}

// How many objects were destroyed while an exception passed, in another thread.
PyObject *unwound(PyObject *, PyObject *) {
  int before = left;
  bool caught = false;
  std::thread([&caught] {
    try {
      name_of(-1);
    } catch (const std::exception &) {
      caught = true;
    }
  }).join();
  return PyLong_FromLong(caught ? left - before : -1);
}

PyMethodDef methods[] = {
    {"describe", describe, METH_VARARGS, "The name and area of a shape."},
    {"unwound", unwound, METH_NOARGS, "Objects that an exception destroyed on its way."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef names_module = {
    PyModuleDef_HEAD_INIT, "_names", nullptr, 0, methods, nullptr, nullptr, nullptr, nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit__names() { return PyModuleDef_Init(&names_module); }
