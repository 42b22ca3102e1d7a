"""The same runtime as everywhere, made faster: these tests are many, and emptying a database costs less than making
one."""

from tests.later.conftest import compiled_once, migrated_postgres, rt

__all__ = ["compiled_once", "migrated_postgres", "rt"]
