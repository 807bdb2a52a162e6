"""What every section of the settings keeps to: frozen, unknown names are mistakes, values stay out of errors."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from headend.collection_plan import parse_time, shown_time
from headend.errors import RequestError

HTTP_URL = r"^https?://[^\s/@]+(/[^\s]*)?$"
"""An absolute address over HTTP; credentials have no place in one."""

HttpUrl = Annotated[str, Field(pattern=HTTP_URL, max_length=2_000)]


def _wall_time(value: str) -> str:
    try:
        return shown_time(parse_time(value))
    except RequestError as error:
        raise ValueError(str(error)) from None


WallTime = Annotated[str, AfterValidator(_wall_time)]
"""A local time of the day, `HH:MM`."""


class Section(BaseModel):
    """One table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def beside(value: Path, info: ValidationInfo) -> Path:
    """A path relative to the settings file."""
    base: Path = (info.context or {}).get("base", Path())
    return base / value
