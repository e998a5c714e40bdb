"""The online store: which one, and how the service reads it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shopguide.spec._section import Section

Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=60)]


class OnlineStore(Section):
    """Where Feast keeps the latest features for the service."""

    type: Literal["sqlite", "redis", "postgres"] = Field(
        "sqlite", description="sqlite is a file in the spec's `home`; the others are servers."
    )
    connection_env: Variable | None = Field(
        None,
        description="Environment variable that says where the server is: for redis as Feast "
        "writes it (`host:6379,db=0,password=…`), for postgres a URL "
        "(`postgresql://user:password@host:5432/database`). Secrets stand in no spec.",
    )

    @model_validator(mode="after")
    def _servers_are_named(self) -> Self:
        if (self.type == "sqlite") != (self.connection_env is None):
            msg = "connection_env: a server needs it, and sqlite has none"
            raise ValueError(msg)
        return self


class Reading(Section):
    """How the service reads the online store, and when it goes on without it.

    User part: what is keyed by the user, alone or with another key. Item part: the rest.
    """

    timeout_seconds: float = Field(0.5, gt=0, le=60, description="Of one read.")
    user_cache_seconds: float = Field(10.0, ge=0, description="0: not kept.")
    item_cache_seconds: float = Field(60.0, ge=0, description="0: not kept.")
    cache_entries: int = Field(
        100_000, ge=1, description="Entities kept a key; a cache that is full starts anew."
    )
    max_age_hours: float | None = Field(
        None,
        gt=0,
        description="Features materialised longer ago are used, and the answer is `degraded`.",
    )
    breaker_failures: int = Field(
        5, ge=1, description="Failed reads in a row after which the store is left alone."
    )
    breaker_seconds: float = Field(
        5.0, gt=0, description="How long, until one request asks it again."
    )
