"""Media that must not be split: they share a track, a template or an identical picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wildstyle.faces.row import ManifestRow


@dataclass(frozen=True)
class MediaGroups:
    """Connected components of media.

    Attributes:
        names: number of each medium's group, from 0 in the order of the groups' first names.
    """

    names: Mapping[str, int]

    @classmethod
    def of(cls, rows: Sequence[ManifestRow], *columns: str) -> MediaGroups:
        """Join media in which a template, or a value of one of ``columns``, occurs more than once.

        Args:
            rows: faces; those without a medium are passed over.
            columns: attributes, such as ``track`` and ``sha256``.
        """
        parent = {row.media: row.media for row in rows if row.media is not None}

        def root(name: str) -> str:
            while parent[name] != name:
                parent[name] = parent[parent[name]]
                name = parent[name]
            return name

        first: dict[tuple[str, str], str] = {}
        for row in rows:
            if row.media is None:
                continue
            ties = {"template": row.template, **{column: row.attributes.get(column) for column in columns}}
            for kind, value in ties.items():
                if value is not None:
                    a, b = sorted((root(row.media), root(first.setdefault((kind, value), row.media))))
                    parent[b] = a
        roots = {name: root(name) for name in sorted(parent)}
        number = {name: i for i, name in enumerate(dict.fromkeys(roots.values()))}
        return cls({name: number[head] for name, head in roots.items()})

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(set(self.names.values()))

    def of_row(self, row: ManifestRow) -> int:
        """Group of a face; -1 without a medium."""
        return -1 if row.media is None else self.names[row.media]

    def joined(self) -> tuple[tuple[str, ...], ...]:
        """Groups of two or more media."""
        members: dict[int, list[str]] = {}
        for name, group in self.names.items():
            members.setdefault(group, []).append(name)
        return tuple(tuple(some) for some in members.values() if len(some) > 1)
