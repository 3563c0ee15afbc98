"""The command `chatcore migrate`: brings a store's database to this version before the servers do."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from .bootstrap import migrate
from .settings import StoreSettings

NOTHING = "There is nothing to do: the database is as this version wants it."


async def run(settings: StoreSettings, *, dry_run: bool) -> None:
    """Migrate, or with ``dry_run`` print the steps only. Raises `SettingsError` and `StoreError`."""
    console = Console(highlight=False, markup=False)
    steps: list[str] = []
    await migrate(settings, lambda number, count, step: steps.append(f"{number}/{count} {step}"), dry_run=True)
    if dry_run or not steps:
        for line in steps or [NOTHING]:
            console.print(line)
    else:
        await _migrate_with_progress(settings, console, len(steps))


async def _migrate_with_progress(settings: StoreSettings, console: Console, steps: int) -> None:
    """Migrate in ``steps`` steps, and show a progress bar."""
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=steps)

        def announce(number: int, count: int, step: str) -> None:
            progress.update(bar, completed=steps - 1 - count + number, description=step)

        await migrate(settings, announce, dry_run=False)
        progress.update(bar, completed=steps, description="done")
