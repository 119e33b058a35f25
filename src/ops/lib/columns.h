// Images unrolled into columns and back (im2col, col2im), any number of spatial axes, any working type.
#ifndef OQ_OPS_LIB_COLUMNS_H
#define OQ_OPS_LIB_COLUMNS_H

#include "ops/lib/array.h"
#include "ops/lib/window.h"

// columns[channel, cell, place] = x[channel, place * stride + cell * dilation - pad], 0 outside. x [channels,
// window->in...], columns [channels * cells, places of window->out].
void oq_columns_from_image(const oq_window *window, oq_work_type work, size_t channels, const void *x,
                           void *columns);
// The reverse: y (cleared by the caller) receives the sum of every column element that lies over it.
void oq_columns_to_image(const oq_window *window, oq_work_type work, size_t channels, const void *columns,
                         void *y);

// y [images, filters, places] += bias [filters]
void oq_columns_add_bias(oq_work_type work, void *y, const void *bias, size_t images, size_t filters,
                         size_t places);

#endif
