"""`shopguide solve`: the fusion weights of a bundle, without retraining."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from shopguide.cli._champion import Champion, Held, champion_of
from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    refuse_ignored,
    stdout,
)
from shopguide.files import require_file, require_folder

if TYPE_CHECKING:
    from shopguide.objective import HeldOut, Solution


def solve(
    context: typer.Context,
    bundle: Annotated[Path, typer.Option(help="Trained bundle.")],
    training_set: Annotated[Path, typer.Option(help="Its validation period is solved on.")],
    spec: SpecPath = DEFAULT_SPEC,
    out: Annotated[Path, typer.Option(help="Directory of the new bundle.")] = Path("runs/model"),
    champion: Champion = None,
    solver: Annotated[str | None, typer.Option(help="Override objective.solver.")] = None,
    point: Annotated[
        int | None, typer.Option(help="Take this point of the bundle's front; no solver runs.")
    ] = None,
    front: Annotated[
        Path | None, typer.Option(help="File of the front's page; default: OUT.front.html.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Show the choice on the test period too.")
    ] = True,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Solve for the trade-off on the validation period; another weight needs no training.

    Exit 1: no λ keeps the floors of the ε solver; what misses them by least is written all the
    same.
    """
    from shopguide.bundle.manifest import MANIFEST
    from shopguide.objective import (
        evaluate_on_test,
        read_solution,
        solve_objective,
        take_point,
        write_front,
    )
    from shopguide.spec import load_spec

    page = front or out.with_name(f"{out.name}.front.html")
    require_folder(out, "--out", marker=MANIFEST)
    require_file(page, "--front")
    if point is not None:
        refuse_ignored(context, ("solver",), "with --point: a person chooses, and no solver runs")
    changes = [*(overrides or []), *([f"objective.solver={solver}"] if solver else [])]
    loaded = load_spec(spec, profile=profile, overrides=changes)
    with champion_of(loaded, champion) as held:
        if point is None:
            summary = solve_objective(loaded, bundle, training_set, out, champion=held.path)
        else:
            summary = take_point(bundle, out, point)
        solution = read_solution(out)
        assert solution is not None, "it was written with the bundle"
        later = None
        if test and _reference_is_there(solution, held):
            later = evaluate_on_test(loaded, out, training_set, champion=held.path)
    write_front(solution, page, later)
    if as_json:
        test_period = asdict(later) if later else None
        print_json(asdict(summary) | {"test": test_period, "page": str(page)})
    else:
        _print(solution, later)
        stdout.print(f"bundle    {out}", highlight=False, soft_wrap=True)
        stdout.print(f"front     {page}", highlight=False, soft_wrap=True)
    if solution.solver == "epsilon" and solution.fallback:
        raise typer.Exit(1)


def _reference_is_there(solution: "Solution", held: Held) -> bool:
    """Tell whether what a solution is relative to can be scored; a wrong one given is refused."""
    from shopguide.bundle import load_bundle

    if solution.champion is None:
        return True
    if held.path is None or not held.registered:
        return held.path is not None
    return load_bundle(held.path).manifest.checksum == solution.champion.checksum


def _print(solution: "Solution", later: "HeldOut | None") -> None:
    point = solution.point
    reference = "the champion" if solution.champion else "equal weights"
    stdout.print(
        f"{solution.solver} took point {solution.chosen} of {len(solution.front)} on the front, "
        f"{solution.evaluated} λ tried, hypervolume {solution.hypervolume:.3f}",
        highlight=False,
        soft_wrap=True,
    )
    if solution.fallback:
        stdout.print(f"[yellow]mind[/]: {escape(solution.fallback)}", highlight=False)
    weights = ", ".join(f"{task} {weight:.3f}" for task, weight in point.weights.items())
    stdout.print(f"λ  {weights}", highlight=False, soft_wrap=True)
    stdout.print(_goals(solution, later, reference))


def _goals(solution: "Solution", later: "HeldOut | None", reference: str) -> Table:
    """Return a row a goal, and one for J: on validation, and on test if it was asked for."""
    from shopguide.objective.front_page import change, percent

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"against {reference}")
    titles = ["ω", "reference", "validation", "change", *(["on test", "optimism"] if later else [])]
    for title in titles:
        table.add_column(title, justify="right")
    for name, goal in solution.objective.goals.items():
        values = (solution.reference_goals[name], solution.point.goals[name])
        cells = [f"{goal.weight:.2f}", *(f"{value:.5g}" for value in values)]
        cells.append(percent(change(solution, solution.point, name)))
        if later:
            cells += [percent(later.changes[name]), percent(later.goal_optimism[name])]
        table.add_row(escape(name), *cells)
    total = ["", "", "", percent(solution.point.objective - 1)]
    if later:
        gain = None if later.objective is None else later.objective - 1
        total += [percent(gain), percent(later.optimism)]
    table.add_row("J − 1", *total, style="bold")
    return table
