"""A rule: its scope and its effect."""

from dataclasses import dataclass

from vestibule.policy.action import Action, RuleSeverity


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a rule; None matches everything. Of two matching scopes, one may be narrower."""

    entity: str | None = None
    group: str | None = None
    token: str | None = None
    key_prefix: str | None = None
    route: str | None = None

    @property
    def narrowness(self) -> tuple[int, int, int, int]:
        """How narrow the scope is in each respect: entity over group, a longer prefix over a shorter one."""
        kind = 2 if self.entity else 1 if self.group else 0
        return kind, self.token is not None, len(self.key_prefix or ""), self.route is not None

    def describe(self) -> str:
        """Return the scope in words."""
        parts = [self.entity or self.group or "everything"]
        parts += [f"from token {self.token}"] if self.token else []
        parts += [f"by {self.route}"] if self.route else []
        parts += [f"under keys {self.key_prefix}*"] if self.key_prefix else []
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule with its scope; None is left to less specific rules. `layer` 1 is the file, 0 the fallback."""

    scope: Scope
    origin: str
    layer: int = 1
    action: Action | None = None
    threshold: float | None = None
    severity: RuleSeverity | None = None

    def is_narrower_than(self, other: "PolicyRule") -> bool:
        """Say whether this one holds over `other` wherever both apply.

        It does where its scope says all that the other's says, and more. Two rules of which each is the narrower in
        some respect are equals: then the stricter of them decides.
        """
        if self.layer != other.layer:
            return self.layer > other.layer
        mine, theirs = self.scope.narrowness, other.scope.narrowness
        return mine != theirs and all(a >= b for a, b in zip(mine, theirs, strict=True))
