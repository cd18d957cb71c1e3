"""For tests: the packages of docs/compatibility.md whose own tests run inside an executable."""

from __future__ import annotations

from oxidize_rules.goals.testing_suites import Suite

SUITES = (
    Suite("attrs", ("attr", "attrs"), native=True, plugins=("hypothesispytest",)),
    # Left out: a test that reads files of the source tree.
    Suite(
        "babel",
        ("babel",),
        remove=("babel",),
        arguments=("-k", "not test_compatible_classes_in_global_and_localedata"),
    ),
    Suite(
        "beautifulsoup4",
        ("bs4",),
        tests=("bs4_tests",),
        move={"bs4/tests": "bs4_tests"},
        remove=("bs4",),
    ),
    Suite(
        "blinker",
        ("blinker",),
        plugins=("asyncio",),
        arguments=("-o", "asyncio_default_fixture_loop_scope=function"),
    ),
    Suite("cachetools", ("cachetools",)),
    Suite("certifi", ("certifi",), tests=("certifi.tests",), in_wheel=True, remove=("certifi",)),
    Suite("charset-normalizer", ("charset_normalizer",), native=True),
    Suite("click", ("click",)),
    Suite("docutils", ("docutils",), tests=("test",), remove=("docutils",)),
    Suite("idna", ("idna",), native=True, remove=("idna",)),
    Suite("importlib-metadata", ("importlib_metadata",), remove=("importlib_metadata",)),
    Suite(
        "importlib-resources",
        ("importlib_resources",),
        tests=("importlib_resources.tests",),
        in_wheel=True,
        remove=("importlib_resources",),
    ),
    Suite("iniconfig", ("iniconfig",), tests=("testing",)),
    Suite("itsdangerous", ("itsdangerous",)),
    Suite("jinja2", ("jinja2",)),
    Suite(
        "jsonschema",
        ("jsonschema",),
        native=True,
        tests=("jsonschema.tests",),
        in_wheel=True,
        remove=("jsonschema",),
        env={"JSON_SCHEMA_TEST_SUITE": "json"},
    ),
    Suite("mako", ("mako",), tests=("test",), remove=("mako",)),
    Suite("markupsafe", ("markupsafe",), native=True),
    Suite("more-itertools", ("more_itertools",), remove=("more_itertools",)),
    Suite(
        "packaging",
        ("packaging",),
        native=True,
        plugins=("hypothesispytest",),
        differences={
            (
                "musl",
                "tests/test_manylinux.py::test_is_manylinux_compatible_old",
            ): "It is for glibc, whose environment on disk it is compared with",
        },
    ),
    Suite("pathspec", ("pathspec",), remove=("pathspec",)),
    Suite("pluggy", ("pluggy",), tests=("testing",)),
    # Left out: tests of colours' contrast, by a package that the others do not need.
    Suite("pygments", ("pygments",), remove=("pygments",), arguments=("--ignore=tests/contrast",)),
    Suite(
        "python-dateutil", ("dateutil",), native=True, plugins=("hypothesispytest", "pytest_cov")
    ),
    # Left out: a test of README.rst, which it finds by the tests' place in the source tree.
    Suite(
        "pytz",
        ("pytz",),
        tests=("pytz_tests",),
        move={"pytz/tests": "pytz_tests"},
        remove=("pytz",),
        arguments=("--ignore=pytz_tests/test_docs.py",),
    ),
    Suite("pyyaml", ("yaml",), native=True, tests=("tests",), remove=("lib", "yaml")),
    Suite(
        "referencing",
        ("referencing",),
        native=True,
        tests=("referencing.tests",),
        in_wheel=True,
        remove=("referencing",),
        env={"REFERENCING_SUITE": "suite"},
    ),
    # Left out: tests that ask a copy of httpbin, or an address in the net that does not answer, and
    # one with a path as id, which pytest spells by its length.
    Suite(
        "requests",
        ("requests",),
        native=True,
        plugins=("pytest_mock",),
        arguments=(
            "--without-fixture=httpbin",
            "--without-fixture=httpbin_secure",
            *("-k", "not TestTimeout and not test_unzipped_paths_unchanged"),
        ),
    ),
    Suite(
        "setuptools",
        ("pkg_resources",),
        tests=("pkg_resources.tests",),
        in_wheel=True,
        remove=("pkg_resources", "setuptools"),
    ),
    Suite(
        "simplejson",
        ("simplejson",),
        native=True,
        tests=("simplejson.tests",),
        in_wheel=True,
        remove=("simplejson",),
    ),
    Suite("six", ("six",), tests=("test_six.py",), remove=("six.py",)),
    # Left out: tests that start the program by the path of its source.
    Suite(
        "tabulate",
        ("tabulate",),
        tests=("test",),
        remove=("tabulate",),
        arguments=("-k", "not test_script"),
    ),
    Suite(
        "tomlkit",
        ("tomlkit",),
        remove=("tomlkit",),
        differences={
            (
                "musl",
                "tests/test_items.py::test_float_is_not_a_sequence",
            ): "`ctypes.pythonapi` is None in the static interpreter on disk; inside it works",
        },
    ),
    Suite("toolz", ("toolz",), tests=("toolz",), in_wheel=True, remove=("toolz",)),
    Suite("tzdata", ("tzdata",)),
    # Left out: tests with its servers, which fail on disk, too, and not always the same ones.
    Suite(
        "urllib3",
        ("urllib3",),
        native=True,
        tests=("test",),
        plugins=("pytest_timeout", "pytest_socket"),
        arguments=("--ignore=test/with_dummyserver", "--ignore=test/contrib"),
    ),
    Suite("wrapt", ("wrapt",), native=True),
)
