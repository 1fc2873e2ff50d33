# SPDX-License-Identifier: Apache-2.0
"""peer_report.py: the tables of measure_simulators.py, and which goals are reached."""

FED = ("fed", "fed bf16")

# world, peer, at least so many times faster than it ("every": than the fastest)
RATIOS = [("cifar", "pfl", 2.3), ("2nn", "pfl", 10), ("2nn", "flower", 6), ("2nn", "numpy", 2),
          ("cnn", "every", 1), ("lr", "every", 1), ("lstm", "every", 1), ("emnist", "every", 1)]


def print_head(machine, limits):
    for key, value in machine.items():
        print(f"{key:<10} {value}")
    print(f"limits     {limits['flops'] * 1e-9:.0f} GFLOP/s, {limits['bandwidth'] * 1e-9:.1f} GB/s "
          "read, both cores together", flush=True)


def show_seconds(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def fed_of(world, side="fed"):
    return next(row for row in world["rows"] if row["side"] == side)


def print_world(world):
    ours = fed_of(world)
    print(f"\n{world['title']}")
    if world["limit_s"]:
        part = world["limit_s"] / ours["seconds"]
        print(f"{world['flops'] * 1e-9:.3g} GFLOP a round; the machine's limit is "
              f"{show_seconds(world['limit_s'])}, fed is at {part:.0%} of it")
    else:
        print(f"fed: {world['visits'] / ours['seconds']:,.0f} visits a second")
    print(f"  {'':<13}{'a round':>9}{'fed x':>7}{'CPU':>9}{'fed x':>7}{'memory':>10}"
          f"{'first':>9}{'differs':>9}{'at end':>8}  mode")
    for row in world["rows"]:
        differs, at_end = ("" if value is None else f"{value:.0e}"
                           for value in (row["difference"], row["difference_at_end"]))
        print(f"  {row['side']:<13}{show_seconds(row['seconds']):>9}"
              f"{row['seconds'] / ours['seconds']:>7.2f}{show_seconds(row['cpu']):>9}"
              f"{row['cpu'] / ours['cpu']:>7.2f}{row['memory'] / 2**20:>6.0f} MiB"
              f"{show_seconds(row['first_s']):>9}{differs:>9}{at_end:>8}  {row['mode']}")
    for name, note in world["notes"].items():
        print(f"  {name}: {note}")
    print(end="", flush=True)


def ratio_goal(world, peer, wanted):
    ours = fed_of(world)["seconds"]
    others = {row["side"]: row["seconds"] for row in world["rows"]
              if row["side"] not in FED and (peer == "every" or row["side"] == peer)
              and not row["side"].endswith("bf16")}
    if not others:
        return None
    name = min(others, key=others.get)
    return {"what": f"{world['world']}: times faster than {name}",
            "value": others[name] / ours, "goal": wanted, "reached": others[name] / ours >= wanted}


def at_most(what, value, goal):
    return {"what": what, "value": value, "goal": goal, "reached": value <= goal, "most": True}


def goals(worlds):
    by_name = {world["world"]: world for world in worlds}
    found = [ratio_goal(by_name[name], peer, wanted) for name, peer, wanted in RATIOS
             if name in by_name]
    if "lr" in by_name:
        row = fed_of(by_name["lr"])
        found.append(at_most("lr: 100 rounds, start to end, seconds",
                             row["first_s"] + 99 * row["seconds"], 0.5))
        found.append(at_most("lr: one round, start to end, seconds", row["first_s"], 0.1))
    if "visits" in by_name:
        world = by_name["visits"]
        rate = world["visits"] / fed_of(world)["seconds"]
        found.append({"what": "visits a second, 1,000 parameters", "value": rate, "goal": 200000,
                      "reached": rate >= 200000})
    if "clients-1000" in by_name:
        found.append(at_most("1,000 clients with 10,000 parameters, ms a round",
                             fed_of(by_name["clients-1000"])["seconds"] * 1e3, 20))
    return [goal for goal in found if goal]


def print_goals(found):
    print(f"\n{'goal':<52}{'measured':>12}{'wanted':>14}")
    for goal in found:
        wanted = f"{'<=' if goal.get('most') else '>='} {goal['goal']:,g}"
        print(f"{goal['what']:<52}{goal['value']:>12,.3g}{wanted:>14}  "
              f"{'reached' if goal['reached'] else 'MISSED'}")
