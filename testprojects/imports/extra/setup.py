"""What pyproject.toml cannot say: a `.pth` file beside the packages, a zip file made for one."""

import os
import shutil
import zipfile

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithPath(build_py):
    def run(self):
        super().run()
        shutil.copy("imports_extra.pth", os.path.join(self.build_lib, "imports_extra.pth"))
        inner = os.path.join(self.build_lib, "imports_extra", "inner.zip")
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
            # A ZipInfo without a date has that of 1980: the same bytes each time.
            info = zipfile.ZipInfo("zipped_inside.py")
            archive.writestr(info, "def where():\n    return __file__\n", zipfile.ZIP_DEFLATED)


setup(
    packages=["imports_extra", "imports_space"],
    package_data={"imports_extra": ["texts/*.txt", "texts/deep/*.txt"]},
    cmdclass={"build_py": BuildWithPath},
)
