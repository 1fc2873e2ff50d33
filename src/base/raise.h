/* SPDX-License-Identifier: Apache-2.0
 *
 * raise.h: how code inside fed reports a failure.
 *
 *   return FED_RAISE(FED_E_SHAPE, "expected %d dimensions, found %d", want, rank);
 *   FED_TRY(fed_params_add(...));                  passes a failure on
 *   return FED_WRAP("reading %s", path);           puts "reading …: " before the last message
 */
#ifndef FED_BASE_RAISE_H
#define FED_BASE_RAISE_H

#include "fed/error.h"

int fed__raise(const char *file, int line, int code, const char *format, ...) FED_PRINTF(4, 5);
int fed__wrap(const char *format, ...) FED_PRINTF(1, 2);

#define FED_RAISE(code, ...) fed__raise(__FILE__, __LINE__, (code), __VA_ARGS__)
#define FED_WRAP(...) fed__wrap(__VA_ARGS__)

/* Static analysis looks into one file at a time; this tells it that a failure is never FED_OK. */
#ifdef __clang_analyzer__
#undef FED_RAISE
#undef FED_WRAP
#define FED_RAISE(code, ...)                                                                       \
  (fed__raise(__FILE__, __LINE__, (code), __VA_ARGS__) ? FED_E_INPUT : FED_E_IO)
#define FED_WRAP(...) (fed__wrap(__VA_ARGS__) ? FED_E_INPUT : FED_E_IO)
#endif

/* Leave the function with the failure of `call`, if it fails. */
#define FED_TRY(call)                                                                              \
  do {                                                                                             \
    int fed_try_code_ = (call);                                                                    \
    if (fed_try_code_ != FED_OK) return fed_try_code_;                                             \
  } while (0)

/* Keep the code of `call` in `code` and jump to `label`, if it fails. */
#define FED_TRY_GOTO(code, label, call)                                                            \
  do {                                                                                             \
    (code) = (call);                                                                               \
    if ((code) != FED_OK) goto label;                                                              \
  } while (0)

/* A condition that only a defect of fed can break: raised, never aborted on. */
#define FED_REQUIRE(condition)                                                                     \
  do {                                                                                             \
    if (!(condition)) return FED_RAISE(FED_E_INTERNAL, "broken assumption: %s", #condition);       \
  } while (0)

#endif
