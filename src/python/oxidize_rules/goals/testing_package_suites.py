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
    Suite("idna", ("idna",), remove=("idna",)),
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
    # Left out: test_specifiers.py and test_version.py, tens of thousands of small calculations.
    Suite(
        "packaging",
        ("packaging",),
        native=True,
        plugins=("hypothesispytest",),
        arguments=("--ignore=tests/test_specifiers.py", "--ignore=tests/test_version.py"),
    ),
    Suite("pathspec", ("pathspec",), remove=("pathspec",)),
    Suite("platformdirs", ("platformdirs",), plugins=("platformdirs", "pytest_mock")),
    Suite("pluggy", ("pluggy",), tests=("testing",)),
    # Left out: what needs packages that are no requirements here.
    Suite("pygments", ("pygments",), remove=("pygments",), arguments=("--ignore=tests/contrast",)),
    Suite(
        "pyparsing",
        ("pyparsing",),
        remove=("pyparsing",),
        arguments=("--ignore=tests/test_diagram.py",),
    ),
    # What concerns imports: rewriting, conftest.py, plugins.
    Suite(
        "pytest",
        ("_pytest", "pytest"),
        tests=(
            "testing/test_assertion.py",
            "testing/test_assertrewrite.py",
            "testing/test_conftest.py",
            "testing/test_entry_points.py",
            "testing/test_pluginmanager.py",
        ),
    ),
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
    # Left out: tests by way of httpbin, which cannot be installed beside today's Flask, and those
    # that need a network in which nobody answers.
    Suite(
        "requests",
        ("requests",),
        native=True,
        plugins=("pytest_mock",),
        arguments=(
            "--without-fixture=httpbin",
            "--without-fixture=httpbin_secure",
            "--deselect=tests/test_requests.py::TestTimeout",
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
    Suite("sqlparse", ("sqlparse",), remove=("sqlparse",)),
    # Left out: tests that start the program by the path of its source.
    Suite(
        "tabulate",
        ("tabulate",),
        tests=("test",),
        remove=("tabulate",),
        arguments=("-k", "not test_script"),
    ),
    Suite("tomlkit", ("tomlkit",), remove=("tomlkit",)),
    Suite("toolz", ("toolz",), tests=("toolz",), in_wheel=True, remove=("toolz",)),
    Suite(
        "typing-extensions",
        ("typing_extensions",),
        tests=("src/test_typing_extensions.py",),
        remove=("src/typing_extensions.py",),
    ),
    Suite("tzdata", ("tzdata",)),
    Suite("wcwidth", ("wcwidth",), native=True, remove=("wcwidth",)),
    # Left out: the development server, tested by way of the network and of files that change.
    Suite(
        "werkzeug",
        ("werkzeug",),
        native=True,
        plugins=("timeout",),
        arguments=("-m", "not dev_server"),
    ),
    Suite("wrapt", ("wrapt",), native=True, tests=("tests/core",)),
    Suite("zipp", ("zipp",), remove=("zipp",)),
)
