// Images unrolled into columns and back.
#include "ops/lib/columns.h"

// Steps `index` over `size` as an odometer, last axis fastest; false after the last one.
static bool step(int64_t *index, const int64_t *size, int axes) {
    for (int axis = axes - 1; axis >= 0; axis--) {
        if (++index[axis] < size[axis]) return true;
        index[axis] = 0;
    }
    return false;
}

// Offset in the image of `place` under `cell`, or -1 in the padding.
static int64_t offset_of(const oq_window *w, const int64_t *place, const int64_t *cell) {
    int64_t offset = 0;
    for (int axis = 0; axis < w->spatial; axis++) {
        const int64_t at =
            place[axis] * w->stride[axis] + cell[axis] * w->dilation[axis] - w->pad_begin[axis];
        if (at < 0 || at >= w->in[axis]) return -1;
        offset = offset * w->in[axis] + at;
    }
    return offset;
}

// Calls BODY with `offset` (in one channel's image) and `column` (in one channel's columns) for each pair.
#define FOR_EACH_CELL(W, BODY)                                                                               \
    do {                                                                                                     \
        int64_t cell[OQ_WINDOW_MAX] = {0};                                                                   \
        size_t column = 0;                                                                                   \
        do {                                                                                                 \
            int64_t place[OQ_WINDOW_MAX] = {0};                                                              \
            do {                                                                                             \
                const int64_t offset = offset_of(W, place, cell);                                            \
                BODY;                                                                                        \
                column++;                                                                                    \
            } while (step(place, (W)->out, (W)->spatial));                                                   \
        } while (step(cell, (W)->kernel, (W)->spatial));                                                     \
    } while (0)

#define COLUMNS(SUFFIX, T)                                                                                   \
    static void from_##SUFFIX(const oq_window *w, const T *x, T *columns) {                                  \
        FOR_EACH_CELL(w, columns[column] = offset < 0 ? 0 : x[offset]);                                      \
    }                                                                                                        \
    static void to_##SUFFIX(const oq_window *w, const T *columns, T *y) {                                    \
        FOR_EACH_CELL(w, if (offset >= 0) y[offset] += columns[column]);                                     \
    }

COLUMNS(f32, float)
COLUMNS(f64, double)

void oq_columns_from_image(const oq_window *window, oq_work_type work, size_t channels, const void *x,
                           void *columns) {
    const size_t image = oq_window_in_plane(window);
    const size_t block = oq_window_out_plane(window) * (size_t)oq_window_cells(window);
    if (!block) return;
    for (size_t c = 0; c < channels; c++) {
        if (work == OQ_WORK_F32) {
            from_f32(window, (const float *)x + c * image, (float *)columns + c * block);
        } else {
            from_f64(window, (const double *)x + c * image, (double *)columns + c * block);
        }
    }
}

void oq_columns_to_image(const oq_window *window, oq_work_type work, size_t channels, const void *columns,
                         void *y) {
    const size_t image = oq_window_in_plane(window);
    const size_t block = oq_window_out_plane(window) * (size_t)oq_window_cells(window);
    if (!block) return;
    for (size_t c = 0; c < channels; c++) {
        if (work == OQ_WORK_F32) {
            to_f32(window, (const float *)columns + c * block, (float *)y + c * image);
        } else {
            to_f64(window, (const double *)columns + c * block, (double *)y + c * image);
        }
    }
}

#define ADD_BIAS(NAME, T)                                                                                    \
    static void NAME(T *y, const T *bias, size_t rows, size_t filters, size_t places) {                      \
        for (size_t row = 0; row < rows; row++) {                                                            \
            const T add = bias[row % filters];                                                               \
            for (size_t i = 0; i < places; i++) y[row * places + i] += add;                                  \
        }                                                                                                    \
    }
ADD_BIAS(add_bias_f32, float)
ADD_BIAS(add_bias_f64, double)

void oq_columns_add_bias(oq_work_type work, void *y, const void *bias, size_t images, size_t filters,
                         size_t places) {
    if (work == OQ_WORK_F32) {
        add_bias_f32(y, bias, images * filters, filters, places);
    } else {
        add_bias_f64(y, bias, images * filters, filters, places);
    }
}
