#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# test_completion.sh: the completions of both programs in one bash.
#   bash test_completion.sh PROGRAMS
set -eu
# shellcheck disable=SC1090 # printed just now
. <("$1/fed" completion)
# shellcheck disable=SC1090
. <("$1/fed-agent" completion)
failed=0

# expect WANTED WORD…: the last word is the one to complete.
expect() {
  local wanted=$1 function
  shift
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  function=$(complete -p "$1" | sed 's/.*-F \([^ ]*\) .*/\1/')
  "$function"
  [ "${COMPREPLY[*]}" = "$wanted" ] && return
  echo "'$*' completes to '${COMPREPLY[*]}', expected '$wanted'"
  failed=1
}

expect job fed jo
expect 'new check submit list watch stop' fed job ''
expect submit fed job su
expect 'enroll renew show' fed operator ''
expect --watch fed job submit --wa
expect --watch fed job submit job.yaml --wa
expect create fed server c
expect --address fed server --ad
expect '' fed nothing ''
expect run fed-agent r
expect --policy fed-agent run --po
exit $failed
