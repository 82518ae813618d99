"""`python -m tests.simulation`: many seeds, one of them with its trace, or the controls."""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import replace

from tests.simulation.controls import CONTROLS, first_that_catches
from tests.simulation.plan import FAULTS, LOSSES, Plan, draw
from tests.simulation.run import Outcome, run


def main() -> int:
    """Run what the command line asks for; 1 if anything was found."""
    asked = _arguments()
    kinds = tuple(kind for kind in asked.faults.split(",") if kind not in asked.without.split(","))
    if asked.controls:
        return _controls()
    if asked.seed is not None:
        return _one(draw(asked.seed, kinds), trace=asked.trace, shrink=asked.shrink)
    return _many(range(asked.start, asked.start + asked.seeds), kinds, as_json=asked.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (%(default)s)")
    parser.add_argument("--start", type=int, default=0, help="the first of them (%(default)s)")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.add_argument("--seed", type=int, help="replay this one only")
    parser.add_argument("--trace", action="store_true", help="with --seed: all that happened, in order")
    parser.add_argument("--shrink", action="store_true", help="with --seed: leave out what the finding does not need")
    parser.add_argument("--controls", action="store_true", help="for each control, the first seed that catches it")
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"kinds of faults (%(default)s); also {LOSSES}")
    parser.add_argument("--without", default="", help="kinds of faults to leave out")
    return parser.parse_args()


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def _one(plan: Plan, *, trace: bool, shrink: bool) -> int:
    if shrink:
        plan = shrunk(plan)
        for fault in plan.faults:
            _say("needed:", fault)
    outcome = run(plan, keep_trace=trace)
    for line in [*outcome.trace, *outcome.findings]:
        _say(line)
    _say(f"seed {plan.seed}: {len(outcome.findings)} findings, {outcome.digest}, {dict(outcome.happened)}")
    return bool(outcome.findings)


def shrunk(plan: Plan) -> Plan:
    """The plan without those faults that it fails without."""
    kept = list(plan.faults)
    for fault in plan.faults:
        fewer = [other for other in kept if other is not fault]
        if run(replace(plan, faults=fewer)).findings:
            kept = fewer
    return replace(plan, faults=kept)


def _controls() -> int:
    missed = 0
    for name, switches in CONTROLS.items():
        outcome = first_that_catches(switches)
        missed += outcome is None
        _say(f"{name}:", "not caught" if outcome is None else f"seed {outcome.seed}, {outcome.findings[0].what}")
    return bool(missed)


def _many(seeds: range, kinds: tuple[str, ...], *, as_json: bool) -> int:
    started, happened, failed = time.monotonic(), Counter[str](), list[Outcome]()
    transitions = commits = 0
    for seed in seeds:
        outcome = run(draw(seed, kinds))
        happened += outcome.happened
        transitions += outcome.transitions
        commits += outcome.commits
        if outcome.findings:
            failed.append(outcome)
    report = {
        "seeds": len(seeds),
        "seconds": round(time.monotonic() - started, 1),
        "faults": dict(sorted(happened.items())),
        "commits": commits,
        "transitions": transitions,
        "differences": sum(len(outcome.findings) for outcome in failed),
        "failing": {outcome.seed: [str(finding) for finding in outcome.findings[:5]] for outcome in failed},
    }
    if as_json:
        _say(json.dumps(report))
        return bool(failed)
    for key, value in report.items():
        if key != "failing":
            _say(f"{key}: {value}")
    for outcome in failed:
        _say(f"seed {outcome.seed}: {str(outcome.findings[0])[:300]}\n  {outcome.replay}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
