#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# own_symbols.sh: give the global names that ONNX's schema makes (onnx__…) the library's own prefix,
# in a static library, so that a program may have another copy of them.
#   own_symbols.sh NM OBJCOPY LIBRARY
set -eu
names=$(mktemp)
trap 'rm -f "$names"' EXIT
"$1" --defined-only --extern-only --format=posix "$3" |
  awk '$1 ~ /^onnx__/ { print $1, "fed__" $1 }' | sort -u >"$names"
"$2" --redefine-syms="$names" "$3"
