/* SPDX-License-Identifier: Apache-2.0
 *
 * onednn_library.h: libdnnl.so.2 loaded at run time: no symbol of it is linked, so that the
 * programs run without the package and an idle agent does not map its 40 MB.
 *
 * Threads: oneDNN of Debian spreads each call over OpenMP threads. fed computes with one thread
 * per trainer, so every call is put between fed__onednn_begin and fed__onednn_end, which set
 * OpenMP's thread count of the calling thread (it is per thread) to one and back. One thread also
 * means one order of summation: results repeat to the last bit.
 */
#ifndef FED_TRAIN_ONEDNN_LIBRARY_H
#define FED_TRAIN_ONEDNN_LIBRARY_H

#include "fed/error.h"

#include <dnnl.h>

/* The functions that fed uses, named without their dnnl_. */
/* clang-format off */
#define FED__ONEDNN_LIST(X) \
  X(version) \
  X(engine_create) \
  X(stream_create) \
  X(stream_destroy) \
  X(sgemm) \
  X(memory_desc_init_by_tag) \
  X(memory_desc_equal) \
  X(memory_desc_get_size) \
  X(memory_create) \
  X(memory_set_data_handle) \
  X(memory_destroy) \
  X(primitive_attr_create) \
  X(primitive_attr_set_scratchpad_mode) \
  X(primitive_attr_destroy) \
  X(primitive_desc_create) \
  X(primitive_desc_query_md) \
  X(primitive_desc_destroy) \
  X(reorder_primitive_desc_create) \
  X(primitive_create) \
  X(primitive_execute) \
  X(primitive_destroy) \
  X(dilated_convolution_forward_desc_init) \
  X(dilated_convolution_backward_data_desc_init) \
  X(dilated_convolution_backward_weights_desc_init)
/* clang-format on */

struct fed__onednn {
#define FED__ONEDNN_MEMBER(name) __typeof__(dnnl_##name) *name;
  FED__ONEDNN_LIST(FED__ONEDNN_MEMBER)
#undef FED__ONEDNN_MEMBER
  dnnl_engine_t engine;             /* the CPU; shared by all threads */
  int (*omp_get_max_threads)(void); /* NULL if the library does not use OpenMP */
  void (*omp_set_num_threads)(int count);
};

/* Load on first use; the library stays loaded until the process ends. FED_E_UNSUPPORTED, saying
 * which package to install. Threads: safe. */
FED_MUST int fed__onednn_load(const struct fed__onednn **library);

/* Returns what fed__onednn_end must be given. */
int fed__onednn_begin(const struct fed__onednn *library);
void fed__onednn_end(const struct fed__onednn *library, int thread_count);

#endif
