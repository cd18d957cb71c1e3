from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    packages=["shapes"],
    ext_modules=[
        Extension("shapes._area", ["shapes/_area.c"]),
        Extension("shapes._names", ["shapes/_names.cpp"], language="c++"),
        *cythonize([Extension("shapes._sums", ["shapes/_sums.pyx"])], language_level=3),
    ],
)
