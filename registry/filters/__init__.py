"""The language of ``where`` and ``order_by``: its grammar, and its translation to SQL."""

from registry.filters.grammar import Condition, Order, parse_condition, parse_order
from registry.filters.rare import rare_versions
from registry.filters.sql import to_sql

__all__ = ["Condition", "Order", "parse_condition", "parse_order", "rare_versions", "to_sql"]
