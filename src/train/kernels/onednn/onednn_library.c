/* SPDX-License-Identifier: Apache-2.0
 *
 * onednn_library.c: finds and loads oneDNN, once per process.
 */
#include "train/kernels/onednn/onednn_library.h"

#include "base/raise.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define LIBRARY "libdnnl.so.2"

static struct fed__onednn loaded;
static char failure[256]; /* empty: loaded */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ISO C has no cast from an object pointer to a function pointer; POSIX says that their bytes
 * are alike. */
static int find(void *handle, const char *name, void *function) {
  void *symbol = dlsym(handle, name);
  *(void **)function = symbol;
  return symbol != NULL;
}

static const char *find_missing(void *handle) {
#define FIND(name)                                                                                 \
  if (!find(handle, "dnnl_" #name, &loaded.name)) return "dnnl_" #name;
  FED__ONEDNN_LIST(FIND)
#undef FIND
  return NULL;
}

static int has_known_runtime(void *handle) {
  const unsigned runtime = loaded.version()->cpu_runtime;
  if (runtime == DNNL_RUNTIME_SEQ) return 1;
  return runtime == DNNL_RUNTIME_OMP &&
         find(handle, "omp_get_max_threads", &loaded.omp_get_max_threads) &&
         find(handle, "omp_set_num_threads", &loaded.omp_set_num_threads);
}

static void load(void) {
  void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  const char *missing = handle ? find_missing(handle) : NULL;
  if (!handle)
    snprintf(failure, sizeof failure, "%s", dlerror());
  else if (missing)
    snprintf(failure, sizeof failure, LIBRARY " has no function %s", missing);
  else if (!has_known_runtime(handle))
    snprintf(failure, sizeof failure, LIBRARY " is built for neither OpenMP nor a single thread");
  else if (loaded.engine_create(&loaded.engine, dnnl_cpu, 0) != dnnl_success)
    snprintf(failure, sizeof failure, LIBRARY " cannot use this CPU");
}

int fed__onednn_load(const struct fed__onednn **library) {
  pthread_once(&once, load);
  if (failure[0])
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "oneDNN could not be loaded (%s); install Debian's package libdnnl2, or use "
                     "the reference kernels",
                     failure);
  *library = &loaded;
  return FED_OK;
}

int fed__onednn_begin(const struct fed__onednn *library) {
  if (!library->omp_set_num_threads) return 0;
  const int thread_count = library->omp_get_max_threads();
  library->omp_set_num_threads(1);
  return thread_count;
}

void fed__onednn_end(const struct fed__onednn *library, int thread_count) {
  if (thread_count) library->omp_set_num_threads(thread_count);
}
