#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_consumer.sh: install into a fresh prefix, then build and run a foreign program against it in
# the three ways that are offered: find_package, pkg-config, and pkg-config with the static library.
#   test_consumer.sh BUILD_FOLDER WORK_FOLDER
set -eu
build=$1 work=$2
source=$(dirname "$0")/consumer
rm -rf "$work"
mkdir -p "$work"
exec 2>&1

echo "install"
for component in library development; do
  cmake --install "$build" --prefix "$work/prefix" --component "$component" >"$work/install.log"
done
libraries=$(dirname "$(find "$work/prefix" -name libfed.so.0)")

echo "find_package"
cmake -S "$source" -B "$work/cmake" -G Ninja -D CMAKE_PREFIX_PATH="$work/prefix" >"$work/cmake.log"
cmake --build "$work/cmake" >"$work/cmake.log"
"$work/cmake/consumer"

PKG_CONFIG_PATH=$libraries/pkgconfig
export PKG_CONFIG_PATH

echo "pkg-config"
# shellcheck disable=SC2046 # the flags are words
cc "$source/consumer.c" -o "$work/shared" $(pkg-config --cflags --libs fed)
LD_LIBRARY_PATH=$libraries "$work/shared"

echo "pkg-config --static"
rm "$libraries"/libfed.so
# shellcheck disable=SC2046
cc "$source/consumer.c" -o "$work/static" $(pkg-config --cflags --static --libs fed)
"$work/static"
