"""Read the plan of a recipe's run from its folder, without the packages that train."""

from __future__ import annotations

import os
from pathlib import Path

from mesm.errors import ConfigError, DataError
from mesm.files import slug
from mesm.json_form import members, read_json
from mesm.training.recipes import Recipe

#: File of a run's folder with the plan of its recipe.
RECIPE = "recipe.json"


def stage_folder(folder: Path, recipe: Recipe, number: int) -> Path:
    """Return the folder of a stage's run; `number` counts from 0."""
    return folder / f"{number + 1}-{slug(recipe.stages[number].name)}"


def read_recipe(folder: str | os.PathLike[str]) -> Recipe | None:
    """Read the plan of a run; None where the folder holds none.

    Raises:
        DataError: recipe.json is damaged.
    """
    path = Path(folder) / RECIPE
    if not path.is_file():
        return None
    try:
        recipe = Recipe.from_dict(members(read_json(path)))
    except (DataError, ConfigError) as error:
        raise DataError(
            f"{path} is damaged ({error}); delete it and give the command that started the run again, which goes on from "
            "its stages"
        ) from error
    if not recipe.stages:
        raise DataError(f"{path} names no stage; delete it and give the command that started the run again")
    return recipe
