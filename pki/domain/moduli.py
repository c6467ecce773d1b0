"""Weaknesses of an RSA modulus that arithmetic alone shows (B1.12; CA/B BR sections 6.1.1.3 and 6.1.6)."""

import functools
import math
from collections.abc import Sequence

# CA/B BR section 6.1.6, after NIST SP 800-89.
FACTOR_BOUND = 752
FERMAT_ROUNDS = 100
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_EXPONENT = 65537


def has_small_factor(modulus: int) -> bool:
    """Whether a prime below FACTOR_BOUND divides it: one gcd with the product of all those primes."""
    return math.gcd(modulus, _primorial()) != 1


def is_roca(modulus: int) -> bool:
    """Whether it has the form that a flawed library for cards generates (CVE-2017-15361)."""
    return all(modulus % prime in _powers(prime) for prime in _ROCA_PRIMES)


def has_close_primes(modulus: int) -> bool:
    """Whether FERMAT_ROUNDS rounds of Fermat's method factor it (CVE-2022-26320); the first round finds a square."""
    root = math.isqrt(modulus)
    if root * root == modulus:
        return True
    step = root + 1
    rest = step * step - modulus
    for _ in range(FERMAT_ROUNDS):
        # Few numbers are squares modulo 64 and 45045, so this avoids most square roots.
        if rest & 63 in _SQUARES_64 and rest % 45045 in _SQUARES_45045 and math.isqrt(rest) ** 2 == rest:
            return True
        rest += 2 * step + 1
        step += 1
    return False


_SQUARES_64 = frozenset(number * number % 64 for number in range(64))
_SQUARES_45045 = frozenset(number * number % 45045 for number in range(45045))


def shared_factors(moduli: Sequence[int]) -> list[int]:
    """Returns for each modulus its greatest common divisor with the product of all the others: 1 unless a prime is shared.

    Bernstein's batch gcd: a tree of products, and remainders down it, so the cost per modulus grows with the logarithm of the
    number of moduli instead of with the number.
    """
    if not moduli:
        return []
    levels = product_tree(moduli)
    remainders = levels[-1]
    for level in reversed(levels[:-1]):
        remainders = [_rest(remainders[position // 2], node * node) for position, node in enumerate(level)]
    return [math.gcd(modulus, rest // modulus) for modulus, rest in zip(moduli, remainders, strict=True)]


def divisors(moduli: Sequence[int], other: int) -> list[int]:
    """Returns for each modulus its greatest common divisor with `other`, by remainders down the tree of products."""
    remainders = [other]
    for level in reversed(product_tree(moduli)):
        remainders = [_rest(remainders[position // 2], node) for position, node in enumerate(level)]
    return [math.gcd(modulus, rest) for modulus, rest in zip(moduli, remainders, strict=True)]


def _rest(number: int, divisor: int) -> int:
    # Python's divmod divides long numbers by a fast method; its % does not.
    return divmod(number, divisor)[1]


def product(moduli: Sequence[int]) -> int:
    """Returns the product of all the moduli."""
    return product_tree(moduli)[-1][0] if moduli else 1


def product_tree(moduli: Sequence[int]) -> list[list[int]]:
    """Returns levels of pairwise products, from the moduli to the single product."""
    levels = [list(moduli)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([math.prod(below[position : position + 2]) for position in range(0, len(below), 2)])
    return levels


@functools.cache
def _primorial() -> int:
    sieve = bytearray([1]) * FACTOR_BOUND
    sieve[:2] = b"\0\0"
    for number in range(2, math.isqrt(FACTOR_BOUND) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, FACTOR_BOUND, number)))
    return math.prod(number for number in range(FACTOR_BOUND) if sieve[number])


@functools.cache
def _powers(prime: int) -> frozenset[int]:
    """The subgroup that 65537 generates modulo `prime`; a flawed modulus is in it for every prime."""
    found, value = {1}, _EXPONENT % prime
    while value not in found:
        found.add(value)
        value = value * _EXPONENT % prime
    return frozenset(found)
