/* SPDX-License-Identifier: Apache-2.0
 *
 * wide.h: FED__WIDE before a function makes the compiler write it, with all that it calls, once for
 * each width of vectors, and the loader choose what the processor has. Every width gives the same
 * bits: nothing is contracted or reordered, and sums run in lanes that the text lays down
 * (operators/norm/sums.inc). For loops over whole values; worth two to four times the speed.
 */
#ifndef FED_BASE_WIDE_H
#define FED_BASE_WIDE_H

#include <stdint.h> /* and by it __GLIBC__ */

/* The choice is made before a sanitizer's own start, so under one there is none. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
#define FED__WIDE                                                                                  \
  __attribute__((flatten, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FED__WIDE
#endif

/* Before a loop: its iterations stand alone, even where input and output are one array. (Clang
 * finds that out when it runs, and complains of what it is told in vain.) */
#ifdef __clang__
#define FED__EACH
#else
#define FED__EACH _Pragma("GCC ivdep")
#endif

#endif
