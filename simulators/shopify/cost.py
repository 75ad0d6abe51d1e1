"""Query cost and the leaky bucket.

Scalars and enums cost 0, an object 1, an interface or union its dearest choice, a mutation 10, a connection 2 and
its items by `first`/`last`. Shopify publishes no number for how much of `first` counts today; `weight` is our guess
(a quarter of the old rule), which keeps nested documents under the limit for one query as they are in real life.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

MUTATION_COST = 10
# They only wrap what the connection has already been charged for.
WRAPPERS = ("PageInfo",)


@dataclass
class Estimate:
    """The highest cost a document can have, known before it runs."""

    schema: GraphQLSchema
    document: DocumentNode
    variables: dict[str, Any]
    weight: float

    def __post_init__(self) -> None:
        found = self.document.definitions
        self.fragments = {item.name.value: item for item in found if isinstance(item, FragmentDefinitionNode)}

    def of(self, operation: OperationDefinitionNode) -> int:
        defaults = {
            item.variable.name.value: int(item.default_value.value)
            for item in operation.variable_definitions or ()
            if isinstance(item.default_value, IntValueNode)
        }
        self.variables = {**defaults, **self.variables}
        root = self.schema.get_root_type(operation.operation)
        cost = self._selections(operation.selection_set, root)
        if operation.operation.value == "mutation":
            return cost + sum(MUTATION_COST - 1 for _ in operation.selection_set.selections)
        return cost

    def _selections(self, selected: SelectionSetNode | None, parent: Any) -> int:
        total, branches = 0, [0]
        for item in selected.selections if selected else ():
            if isinstance(item, FieldNode):
                total += self._field(item, parent)
            else:
                branches.append(self._branch(item, parent))
        if isinstance(parent, GraphQLInterfaceType | GraphQLUnionType):
            return total + max(branches)
        return total + sum(branches)

    def _branch(self, item: Any, parent: Any) -> int:
        if isinstance(item, FragmentSpreadNode):
            item = self.fragments[item.name.value]
        assert isinstance(item, InlineFragmentNode | FragmentDefinitionNode)
        condition = item.type_condition
        kind = self.schema.get_type(condition.name.value) if condition else parent
        return self._selections(item.selection_set, kind)

    def _field(self, item: FieldNode, parent: Any) -> int:
        fields = getattr(parent, "fields", {})
        if item.name.value not in fields or item.selection_set is None:
            return 0
        kind = get_named_type(fields[item.name.value].type)
        if kind.name.endswith("Connection"):
            return 2 + self._size(item) * self._items(item.selection_set, kind)
        own = 0 if kind.name in WRAPPERS else 1
        return own + self._selections(item.selection_set, kind)

    def _items(self, selected: SelectionSetNode, kind: Any) -> int:
        """One item of a connection, whichever way it is asked for."""
        cost = self._selections(selected, kind)
        through_edges = any(isinstance(item, FieldNode) and item.name.value == "edges" for item in selected.selections)
        return max(1, cost - 1) if through_edges else max(1, cost)

    def _size(self, item: FieldNode) -> int:
        for argument in item.arguments or ():
            if argument.name.value in ("first", "last"):
                value: Any = argument.value
                number = self.variables.get(value.name.value) if isinstance(value, VariableNode) else value.value
                return max(1, math.ceil(int(number or 1) * self.weight))
        return 1


def count_objects(data: Any, depth: int = 0) -> int:
    """What the answer really held."""
    if isinstance(data, list):
        return sum(count_objects(item, depth) for item in data)
    if not isinstance(data, dict):
        return 0
    own = 0 if depth == 0 or "hasNextPage" in data else 1
    return own + sum(count_objects(item, depth + 1) for item in data.values())


@dataclass
class Bucket:
    """Fills all the time at `rate` up to `size`; one per app and shop."""

    size: float
    rate: float
    level: float = field(init=False)
    read_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.level = self.size

    def refill(self) -> None:
        now = time.monotonic()
        self.level = min(self.size, self.level + (now - self.read_at) * self.rate)
        self.read_at = now

    def take(self, cost: float) -> bool:
        self.refill()
        if cost > self.level:
            return False
        self.level -= cost
        return True

    def give_back(self, cost: float) -> None:
        self.level = min(self.size, self.level + cost)

    def report(self, requested: int, actual: int | None) -> dict[str, Any]:
        self.refill()
        status = {
            "maximumAvailable": float(self.size),
            "currentlyAvailable": int(self.level),
            "restoreRate": float(self.rate),
        }
        return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}
