"""What a user can do, one file a verb. A verb joins the rooms; it holds no method of its own."""

from __future__ import annotations

__all__: list[str] = []
