/* SPDX-License-Identifier: Apache-2.0
 *
 * npy.h: arrays saved by numpy. NPY versions 1 to 3 (numpy's format.py: magic, header size, a
 * Python dictionary, the elements), C order, booleans, integers, float32 and float64; and NPZ, a
 * zip of them.
 *
 * The zip is read here rather than with libzip, which would bring four compression libraries and
 * a crypto library to the agent: numpy writes only stored and deflated members, and zlib does
 * the hard part of those.
 */
#ifndef FED_DATA_NPY_H
#define FED_DATA_NPY_H

#include "data/data_array.h"

/* FED_E_SYNTAX for what is no NPY file, FED_E_UNSUPPORTED for other element types and Fortran
 * order, FED_E_TRUNCATED, FED_E_TOO_LARGE. */
FED_MUST int fed__npy_read(const struct fed__array_place *place, struct fed__array *array);

/* The array of that name (numpy stores it as NAME.npy). Also FED_E_MISSING; FED_E_DUPLICATE;
 * FED_E_UNSUPPORTED for encrypted or zip64 archives; FED_E_CORRUPT for a wrong CRC-32. */
FED_MUST int fed__npz_read(const struct fed__array_place *place, struct fed__array *array);

/* Read an NPY stream to its end; the array's context and name are set. */
FED_MUST int fed__npy_load(struct fed__source *source, struct fed__array *array,
                           uint64_t memory_max);

#endif
