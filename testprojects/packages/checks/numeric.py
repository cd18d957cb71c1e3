"""numpy, scipy, shapely."""

from __future__ import annotations

import ctypes
import io

from checks.registry import check, equal, in_fork, in_threads, native, raises, true


@check("numpy")
def use_numpy() -> None:
    import numpy as np
    from numpy._core import _multiarray_umath
    from numpy.linalg import _umath_linalg
    from numpy.random import _generator

    native(_multiarray_umath, _umath_linalg, _generator)
    generator = np.random.default_rng(7)
    a = generator.standard_normal((200, 200))
    b = generator.standard_normal(200)
    # BLAS and LAPACK come from a library of the wheel.
    true(np.allclose(a @ np.linalg.solve(a, b), b), "the solution solves")
    u, s, v = np.linalg.svd(a)
    true(np.allclose(u * s @ v, a), "the factors make the matrix")
    with raises(np.linalg.LinAlgError, "singular"):
        np.linalg.inv(np.zeros((3, 3)))
    products = in_threads(lambda _: a @ a)
    true(all(np.array_equal(products[0], one) for one in products), "threads multiply alike")
    true(np.allclose(np.fft.irfft(np.fft.rfft(b), 200), b), "the transform is inverted")
    with np.errstate(all="raise"), raises(FloatingPointError, "divide by zero"):
        np.ones(3) / np.zeros(3)
    with raises(ValueError, "broadcast"):
        np.ones(3) + np.ones(4)
    records = np.array([(2, 1.5, "b"), (1, 2.5, "a")], dtype="i4,f8,U4")
    records.sort(order="f0")
    equal(records["f2"].tolist(), ["a", "b"])
    strings = np.array(["x", "yy", "zzz" * 40], dtype=np.dtypes.StringDType())
    equal(np.strings.str_len(strings).tolist(), [1, 2, 120])
    stream = io.BytesIO()
    np.savez_compressed(stream, a=a, records=records)
    stream.seek(0)
    loaded = np.load(stream)
    true(np.array_equal(loaded["a"], a) and (loaded["records"] == records).all(), "saved")
    counts = np.zeros(3, int)
    np.add.at(counts, [0, 0, 2], 1)
    equal(counts.tolist(), [2, 0, 1])
    equal(np.einsum("ij,jk->", np.ones((4, 5)), np.ones((5, 6))), 120.0)
    square = np.frompyfunc(lambda x: x * x, 1, 1)
    equal(square(np.arange(4)).tolist(), [0, 1, 4, 9])
    in_fork(lambda: np.sort(generator.random(100_000)).sum())
    _read_files(np.__file__)


def _read_files(path: str) -> None:
    """numpy's ways to read and map a file, by the path of one beside its modules."""
    import numpy as np

    with open(path, "rb") as stream:
        content = stream.read()
        stream.seek(2)
        equal(np.fromfile(stream, np.uint8, 5).tobytes(), content[2:7])
        equal(stream.tell(), 7)
    equal(np.fromfile(path, np.uint8).tobytes(), content)
    equal(np.fromfile(path, np.uint8, 10, offset=3).tobytes(), content[3:13])
    equal(np.memmap(path, np.uint8, mode="r").tobytes(), content)
    copied = np.memmap(path, np.uint8, mode="c")
    copied[0] += 1
    equal(np.memmap(path, np.uint8, mode="r")[0], content[0])
    if path.startswith("/.oxidized/"):
        with raises(OSError, "Read-only file system"):
            np.memmap(path, np.uint8, mode="r+")


@check("scipy")
def use_scipy() -> None:
    import numpy as np
    from scipy import (
        LowLevelCallable,
        fft,
        integrate,
        interpolate,
        linalg,
        ndimage,
        optimize,
        signal,
        sparse,
        spatial,
        special,
        stats,
    )
    from scipy import io as matlab
    from scipy.linalg import _flapack
    from scipy.sparse.linalg import eigsh, spsolve

    native(_flapack)
    generator = np.random.default_rng(7)
    a = generator.standard_normal((60, 60))
    p, lower, upper = linalg.lu(a)
    true(np.allclose(p @ lower @ upper, a), "LU")
    true(np.allclose(linalg.expm(linalg.logm(np.eye(3) * 2)), np.eye(3) * 2), "exp and log")
    grid = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(500, 500)).tocsc()
    x = spsolve(grid, np.ones(500))
    true(np.allclose(grid @ x, 1), "SuperLU")
    largest = eigsh(grid, k=2, which="LA", return_eigenvectors=False)
    true(largest.max() < 4, "ARPACK")
    found = optimize.minimize(optimize.rosen, np.zeros(5), method="L-BFGS-B")
    true(np.allclose(found.x, 1, atol=1e-3), "the valley's lowest point")
    plan = optimize.linprog([-1, -2], A_ub=[[1, 1]], b_ub=[4])
    equal(plan.fun, -8.0)
    equal(optimize.linprog([1], A_ub=[[1]], b_ub=[-1]).status, 2)  # infeasible, says HiGHS
    path = integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], rtol=1e-9, method="LSODA")
    true(abs(path.y[0, -1] - np.exp(-1)) < 1e-6, "the equation is solved")
    equal(
        round(integrate.quad(lambda x: np.exp(-x * x), -np.inf, np.inf)[0] ** 2, 10), 3.1415926536
    )
    cosine = ctypes.CDLL(None).cos
    cosine.restype, cosine.argtypes = ctypes.c_double, (ctypes.c_double,)
    true(abs(integrate.quad(LowLevelCallable(cosine), 0, np.pi / 2)[0] - 1) < 1e-12, "C calls C")

    def fail(x: float) -> float:
        raise KeyError("from a callback")

    with raises(KeyError, "from a callback"):
        integrate.quad(fail, 0, 1)
    true(np.allclose(fft.ifft(fft.fft(a, workers=2)).real, a), "pocketfft with threads")
    equal(round(float(special.gamma(5) + special.jv(0, 0)), 12), 25.0)
    true(abs(stats.ttest_ind(a[0], a[0]).pvalue - 1) < 1e-12, "the same sample")
    equal(round(float(stats.norm.ppf(0.975)), 4), 1.96)
    points = generator.random((400, 3))
    tree = spatial.cKDTree(points)
    distance, index = tree.query(points, workers=2)
    true((distance == 0).all() and (index == np.arange(400)).all(), "each is nearest to itself")
    true(spatial.ConvexHull(points).volume < 1, "Qhull")
    with raises(spatial.QhullError, "initial simplex is flat"):
        spatial.ConvexHull([[0, 0], [1, 1], [2, 2], [3, 3]])
    equal(ndimage.label(np.array([1, 0, 1, 1, 0]))[1], 2)
    true(len(signal.find_peaks(np.sin(np.arange(100)))[0]) == 16, "peaks")
    curve = interpolate.CubicSpline(np.arange(10), np.arange(10) ** 2)
    true(abs(float(curve(2.5)) - 6.25) < 1e-9, "the spline is exact")
    stream = io.BytesIO()
    matlab.savemat(stream, {"a": a})
    true(np.array_equal(matlab.loadmat(io.BytesIO(stream.getvalue()))["a"], a), "a MATLAB file")
    in_threads(lambda n: spsolve(grid, np.full(500, n)))


@check("shapely")
def use_shapely() -> str:
    import numpy as np
    import shapely
    from shapely import lib
    from shapely.geometry import LineString, Point, Polygon, mapping, shape
    from shapely.ops import polygonize, unary_union

    native(lib)
    circle = Point(0, 0).buffer(1)
    square = Polygon([(0, 0), (2, 0), (2, 2), (0, 2)])
    both = circle.intersection(square)
    true(abs(both.area - circle.area / 4) < 1e-9, "a quarter")
    true(abs(unary_union([circle, square]).area - circle.area * 0.75 - 4) < 1e-9, "the union")
    equal(shapely.from_wkb(both.wkb).equals(both), True)
    equal(shapely.from_wkt("POINT (1 2)").coords[0], (1.0, 2.0))
    equal(shape(mapping(square)).equals(square), True)
    with raises(shapely.errors.GEOSException, "ParseException"):
        shapely.from_wkt("POINT (1")
    crossed = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    equal((crossed.is_valid, shapely.make_valid(crossed).is_valid), (False, True))
    lines = [
        LineString([(0, 0), (1, 0)]),
        LineString([(1, 0), (1, 1)]),
        LineString([(1, 1), (0, 0)]),
    ]
    equal(next(iter(polygonize(lines))).area, 0.5)
    points = shapely.points(np.random.default_rng(7).random((10_000, 2)))
    tree = shapely.STRtree(points)
    equal(len(tree.query(square, predicate="contains")), 10_000)
    shapely.prepare(circle)
    inside = in_threads(lambda _: int(shapely.contains(circle, points).sum()))
    true(
        len(set(inside)) == 1 and 7_700 < int(str(inside[0])) < 8_000, f"a quarter of pi: {inside}"
    )
    return f"GEOS {shapely.geos_version_string}"
