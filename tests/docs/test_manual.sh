#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_manual.sh: every manual page renders without a warning, and names every command.
#   test_manual.sh PROGRAMS PAGES
set -eu
programs=$1 pages=$2
if ! command -v groff >/dev/null; then
  echo "groff is not there"
  exit 77
fi

render() {
  warnings=$(groff -ww -man -Tascii -P-c "$1" 2>&1 >/dev/null)
  [ -z "$warnings" ] && return
  printf '%s:\n%s\n' "$1" "$warnings"
  exit 1
}

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
for program in fed fed-agent; do
  "$programs/$program" manual >"$work/$program.1"
  render "$work/$program.1"
  "$programs/$program" --help | sed -n "s/^  $program \(.*[^ ]\)  .*/\1/p" >"$work/commands"
  [ "$(wc -l <"$work/commands")" -ge 5 ]
  while read -r command; do
    command=$(echo "$command" | sed 's/  .*//')
    if ! grep -q "^.SS \"$program ${command}[ \"]" "$work/$program.1"; then
      echo "$program(1) does not describe '$command'"
      exit 1
    fi
  done <"$work/commands"
done
for page in "$pages"/*.[1-8]; do render "$page"; done
