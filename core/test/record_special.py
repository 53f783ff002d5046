"""Writes core/test/special_values.h: what the special functions of pointwise.def should give.

Ordinary arguments: mpmath at 60 digits. Zeros, infinities, NaN and poles: PyTorch's float64 answers.

    python3 core/test/record_special.py > core/test/special_values.h
"""
import math
import mpmath as mp
import torch

mp.mp.dps = 60
ONE = [1e-8, 0.01, 0.3, 0.5, 0.9, 1 + 2**-20, 1.5, 2.5, 3.1, 4.75, 6.5, 7.99, 8.01, 9.7, 13.2, 20.3, 35.5, 60.25, 101.5, 300.125]
BOTH = ONE + [-x for x in ONE[:-1] if x != 1e-8]
EDGES = [math.inf, -math.inf, math.nan, 0.0, -0.0, 1.0, -1.0, 2.0, -2.0]


def recurrence(first, step):
    def value(n, x):
        p, q = mp.mpf(1), first(x)
        for k in range(1, n):
            p, q = q, step(k, x, q, p)
        return p if n == 0 else q
    return value


def hurwitz(s, q):
    total = mp.mpf(0)
    while q <= 0:
        total, q = total + q ** -s, q + 1
    return total + mp.zeta(s, q)


def lower_gamma(a, x):
    """P(a, x) by its series; enough digits for 1 - P."""
    with mp.workdps(150):
        term = total = mp.mpf(1)
        n = 1
        while term > total * mp.mpf(10) ** -150:
            term *= x / (a + n)
            total += term
            n += 1
        return total * mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1))


def upper_gamma(a, x):
    with mp.workdps(150):
        return 1 - lower_gamma(a, x)


chebyshev = lambda k, x, q, p: 2 * x * q - p
degree = {
    "chebyshev_polynomial_t": recurrence(lambda x: x, chebyshev),
    "chebyshev_polynomial_u": recurrence(lambda x: 2 * x, chebyshev),
    "chebyshev_polynomial_v": recurrence(lambda x: 2 * x - 1, chebyshev),
    "chebyshev_polynomial_w": recurrence(lambda x: 2 * x + 1, chebyshev),
    "hermite_polynomial_h": recurrence(lambda x: 2 * x, lambda k, x, q, p: 2 * x * q - 2 * k * p),
    "hermite_polynomial_he": recurrence(lambda x: x, lambda k, x, q, p: x * q - k * p),
    "laguerre_polynomial_l": recurrence(lambda x: 1 - x, lambda k, x, q, p: ((2 * k + 1 - x) * q - k * p) / (k + 1)),
    "legendre_polynomial_p": recurrence(lambda x: x, lambda k, x, q, p: ((2 * k + 1) * x * q - k * p) / (k + 1)),
}
for letter in "tuvw":
    plain = degree[f"chebyshev_polynomial_{letter}"]
    degree[f"shifted_chebyshev_polynomial_{letter}"] = lambda n, x, plain=plain: plain(n, 2 * x - 1)

unary = {
    "lgamma": (lambda x: mp.log(abs(mp.gamma(x))), BOTH + [1e300, 1e-300, 3e7, 1.46, 0.999, 1.001, 1.999, 2.001]),
    "digamma": (mp.digamma, BOTH + [1e300, 1e-300, 3e7, 1.46, -0.99999905]),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), [x for x in BOTH if x > -20] + [1e9, 1e5]),
    "log_ndtr": (lambda x: mp.log(mp.ncdf(x)), BOTH),
    "ndtri": (lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1) if p > 1e-30 else mp.findroot(lambda x: mp.log(mp.ncdf(x)) - mp.log(p), -37),
              [1e-300, 1e-20, 1e-9, 1e-4, 0.02, 0.1, 0.2499, 0.2501, 0.4, 0.49999, 0.6, 0.74, 0.76, 0.9, 0.999, 1 - 2**-40]),
    "i0": (lambda x: mp.besseli(0, x), BOTH),
    "i0e": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), BOTH + [1e5]),
    "i1": (lambda x: mp.besseli(1, x), BOTH),
    "i1e": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), BOTH + [1e5]),
    "modified_bessel_k0": (lambda x: mp.besselk(0, x), ONE),
    "modified_bessel_k1": (lambda x: mp.besselk(1, x), ONE),
    "scaled_modified_bessel_k0": (lambda x: mp.besselk(0, x) * mp.exp(x), ONE),
    "scaled_modified_bessel_k1": (lambda x: mp.besselk(1, x) * mp.exp(x), ONE),
    "bessel_j0": (lambda x: mp.besselj(0, x), BOTH),
    "bessel_j1": (lambda x: mp.besselj(1, x), BOTH),
    "bessel_y0": (lambda x: mp.bessely(0, x), ONE),
    "bessel_y1": (lambda x: mp.bessely(1, x), ONE),
    "spherical_bessel_j0": (lambda x: mp.sin(x) / x, BOTH),
    "airy_ai": (mp.airyai, [x for x in BOTH if abs(x) <= 101.5] + [2.2, 2.3, -3.2, -3.3]),
}
binary = {
    "zeta": (hurwitz, [(s, q) for s in (1.001, 1.5, 2, 3, 7.25, 20, 60) for q in (1e-3, 0.5, 1, 2.5, 9.5, 11, 140.5, 1e5)] +
             [(s, q) for s in (2, 3, 8) for q in (-0.5, -3.25, -20.75)]),
    "igamma": (lower_gamma,
               [(a, a * f) for a in (1e-3, 0.1, 0.5, 1, 2.5, 7, 19.9, 20.1, 55, 300, 4e4) for f in (0.05, 0.5, 0.9, 1, 1.1, 2)] +
               [(0.1, 20), (2, 1e-5), (1e6 + 1, 1e6), (1e6 + 1, 1e6 + 3000)]),
}
binary["igammac"] = (upper_gamma, binary["igamma"][1])


def number(x):
    x = float(x)
    if math.isnan(x):
        return "NAN"
    if math.isinf(x):
        return "INFINITY" if x > 0 else "-INFINITY"
    return repr(x)


def row(op, param, x, y, want):
    print(f"    {{TC_PW_{op}, {number(param)}, {number(x)}, {number(y)}, {number(want)}}},")


def of(*values):
    return [torch.tensor(v, dtype=torch.float64) for v in values]


def torch_answer(name, *values):
    f = getattr(torch.special, name, None) or getattr(torch, name)
    return f(*of(*values)).item()


exact = lambda f, *values: f(*[mp.mpf(v) for v in values])
print("// Written by record_special.py: operator, first parameter, inputs, result.")
print("#include <math.h>\n#include <stdint.h>\n")
print("static const struct {\n  int64_t op;\n  double param, x, y, want;\n} special_values[] = {")
for name, (f, points) in unary.items():
    for x in points:
        row(name, 0, x, 0, exact(f, x))
    for x in EDGES:
        row(name, 0, x, 0, torch_answer(name, x))
for n in range(6):
    for x in [x for x in BOTH if abs(x) > 1e-6 and abs(x) < 200 and not (n > 1 and x < 0)] + [1, 2] + ([-0.99999905] if n < 2 else []):
        row("polygamma", n, x, 0, exact(lambda v: mp.polygamma(n, v), x))
    for x in EDGES[:5]:
        row("polygamma", n, x, 0, torch.polygamma(n, of(x)[0]).item())
    # At the poles of trigamma PyTorch gives what the sine of a rounded pi leaves.
    for x in (-1, -2):
        row("polygamma", n, x, 0, torch.polygamma(n, of(x)[0]).item() if n != 1 else math.inf)
for name, (f, points) in binary.items():
    for x, y in points:
        row(name, 0, x, y, exact(f, x, y))
    for x in EDGES:
        for y in EDGES:
            row(name, 0, x, y, torch_answer(name, x, y))
for name, f in degree.items():
    for n in (0, 1, 2, 3, 5, 6, 7, 9, 12, 30):
        for x in (-3.5, -1, -0.97, -0.5, 0.0, 0.3, 0.75, 0.999, 1, 1.25, 4.5):
            row(name, 0, x, n, f(n, mp.mpf(x)))
    for x in EDGES[:3]:
        for n in (-1, -0.5, 0, 1, 2.9, 9, math.inf, math.nan):
            row(name, 0, x, n, torch_answer(name, x, n))
print("};")
