#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_recipes.sh: docs/recipes.md has every built-in model with its sizes, parameters and cost.
#   test_recipes.sh PROGRAMS SOURCES
set -eu
PATH=$1:$PATH
page=$2/docs/recipes.md
missing=$(fed model new | awk '
  /^[a-z0-9-]+: / { name = substr($1, 1, length($1) - 1); sizes = "" }
  / --input / { for (i = 1; i < NF; i++) if ($i == "--hidden") sizes = $(i + 1) }
  / parameters, / { print name, sizes == "" ? "none" : sizes, $1, $3 }' |
  while read -r name sizes parameters cost; do
    grep -q "^| \`$name\` |.* | $sizes.* | $parameters | $cost |$" "$page" ||
      echo "$page lacks the row of $name: $sizes, $parameters parameters, $cost"
  done)
echo "$missing"
rows=$(grep -c '^| .[a-z0-9-]*. | .* | [0-9]* | [0-9.]* |$' "$page") # those of models
[ -z "$missing" ] && [ "$rows" -ge 14 ]
