/* SPDX-License-Identifier: Apache-2.0
 *
 * consumer.c: a program that knows of fed only what is installed.
 */
#include <fed/buffer.h>
#include <fed/train.h>

#include <stdio.h>

int main(void) {
  struct fed_context context;
  struct fed_buffer buffer;
  struct fed_model *model = NULL;
  fed_context_init(&context);
  fed_buffer_init(&buffer, &context, 64);
  if (fed_buffer_print(&buffer, "%s", "not a model") != FED_OK) return 1;
  int code = fed_model_load(&context, fed_buffer_slice(&buffer), NULL, &model);
  fed_buffer_clear(&buffer);
  printf("%s: %s\n", fed_error_name(code), fed_error_last()->message);
  return fed_error_class(code) == FED_CLASS_INPUT ? 0 : 1;
}
