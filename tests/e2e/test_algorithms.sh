#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_algorithms.sh: fed simulate against the papers' equations in Python (algorithms.py): whoever
# takes part, by whichever weights, with unequal numbers of steps and momentum, on fine and usual grids.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

"$FED" model new logreg --input 3 --classes 2 --seed 3 --out "$work/model.onnx" --quiet
expect 0 python3 "$here/algorithms.py" "$FED" "$work"
said "scaffold, momentum: 0.6, two, examples" "fednova on the usual grid"
