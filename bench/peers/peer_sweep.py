# SPDX-License-Identifier: Apache-2.0
"""peer_sweep.py: what fed's rounds cost with more and more clients when nothing is trained: a line
of the table each, and a plot with the line that would be exactly linear."""

import dataclasses
import math
import os

import peer_worlds
import side_fed

COUNTS = {1000: 400, 10000: 60, 100000: 12, 1000000: 3}  # clients: rounds
WIDTH, HEIGHT, MARGIN = 640, 400, 70


def measure(program, folder, threads, quick):
    """Whole runs; the time for one round of the program's start and end is taken off."""
    rows = []
    for clients, rounds in COUNTS.items():
        world = dataclasses.replace(peer_worlds.WORLDS["visits"], clients=clients, cohort=clients,
                                    partition="drawn:10")
        fed = side_fed.Fed(program, folder, world, threads, "f32")
        rounds = max(2, rounds // (4 if quick else 1))
        one_wall, one_cpu = fed.run(1)
        fed.turn(rounds + 1)
        wall, cpu = fed.run(rounds + 1)
        rows.append({"clients": clients, "seconds": (wall - one_wall) / rounds,
                     "cpu": (cpu - one_cpu) / rounds, "memory": fed.memory})
    return rows


def print_rows(rows):
    print(f"\nno training, 1,000 parameters, all clients in each round: fed\n"
          f"  {'clients':>9}{'a round':>11}{'visits/s':>12}{'CPU a visit':>13}{'memory':>11}")
    for row in rows:
        print(f"  {row['clients']:>9,}{row['seconds'] * 1e3:>8.1f} ms"
              f"{row['clients'] / row['seconds']:>12,.0f}"
              f"{row['cpu'] / row['clients'] * 1e6:>10.2f} us{row['memory'] / 2**20:>7.0f} MiB",
              flush=True)


def plot(rows, path):
    """Both axes logarithmic, so that a linear cost is a straight line; grey is exactly linear."""
    x_range = math.log10(rows[0]["clients"]), math.log10(rows[-1]["clients"])
    low = math.floor(math.log10(min(row["seconds"] for row in rows)))
    high = math.ceil(math.log10(max(row["seconds"] for row in rows)))

    def x_of(clients):
        return MARGIN + (math.log10(clients) - x_range[0]) / (x_range[1] - x_range[0]) * \
            (WIDTH - 2 * MARGIN)

    def y_of(seconds):
        return HEIGHT - MARGIN - (math.log10(seconds) - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    def line(points, style):
        text = " ".join(f"{x_of(clients):.1f},{y_of(seconds):.1f}" for clients, seconds in points)
        return f'<polyline points="{text}" fill="none" {style}/>'
    last = rows[-1]["seconds"] / rows[-1]["clients"]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             'font-family="sans-serif" font-size="13">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
             line([(row["clients"], max(row["clients"] * last, 10**low)) for row in rows],
                  'stroke="#bbb" stroke-dasharray="5 4"'),
             line([(row["clients"], row["seconds"]) for row in rows],
                  'stroke="#1f5fa8" stroke-width="2"')]
    for row in rows:
        x, y = x_of(row["clients"]), y_of(row["seconds"])
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1f5fa8"/>',
                  f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 22}" text-anchor="middle">'
                  f'{row["clients"]:,}</text>']
    for power in range(low, high + 1):
        parts.append(f'<text x="{MARGIN - 8}" y="{y_of(10**power) + 4:.1f}" text-anchor="end">'
                     f'{10**power:g} s</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 14}" text-anchor="middle">clients, all in '
                 'each round</text>')
    parts.append(f'<text x="{MARGIN}" y="30">seconds a round, nothing trained, 1,000 parameters '
                 '(dashed: exactly linear)</text></svg>')
    with open(path, "w") as file:
        file.write("\n".join(parts) + "\n")
