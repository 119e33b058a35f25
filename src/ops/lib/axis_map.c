// Outputs made by picking, along every axis, source positions from a list.
#include "ops/lib/axis_map.h"

#include <string.h>

typedef struct walk {
    const oq_mover *m;
    const oq_axis_maps *maps;
    const unsigned char *value;
    int64_t from[OQ_MAX_RANK], to[OQ_MAX_RANK]; // strides
    int plain; // axes from here on map every position to itself and lie dense in both
} walk;

static void fill(const walk *w, unsigned char *to, int64_t count) {
    oq_move_fill(to, w->m->element, (size_t)count, w->value);
}

static void last_axis(const walk *w, int d, unsigned char *to, const unsigned char *from) {
    const int64_t *map = w->maps->map[d], size = w->m->shape.dim[d];
    const size_t element = w->m->element;
    for (int64_t i = 0, run; i < size; i += run) {
        // Consecutive source positions, or consecutive fills, go at once.
        for (run = 1; i + run < size && map[i + run] == (map[i] < 0 ? -1 : map[i] + run); ++run) {
        }
        if (map[i] < 0)
            fill(w, to + (size_t)i * element, run);
        else
            memcpy(to + (size_t)i * element, from + (size_t)map[i] * element, (size_t)run * element);
    }
}

static void axis(const walk *w, int d, unsigned char *to, const unsigned char *from) {
    if (d >= w->plain) {
        const size_t run = d ? (size_t)w->to[d - 1] : (size_t)oq_shape_count(&w->m->shape);
        memcpy(to, from, run * w->m->element);
        return;
    }
    if (d == w->m->shape.rank - 1) {
        last_axis(w, d, to, from);
        return;
    }
    const int64_t *map = w->maps->map[d], size = w->m->shape.dim[d];
    const size_t step = (size_t)w->to[d] * w->m->element;
    for (int64_t i = 0; i < size; ++i) {
        if (map[i] < 0)
            fill(w, to + (size_t)i * step, w->to[d]);
        else if (i && map[i] == map[i - 1])
            memcpy(to + (size_t)i * step, to + (size_t)(i - 1) * step, step);
        else
            axis(w, d + 1, to + (size_t)i * step, from + (size_t)(map[i] * w->from[d]) * w->m->element);
    }
}

void oq_move_mapped(const oq_mover *m, const oq_axis_maps *maps, const oq_shape *source,
                    const unsigned char *from, const unsigned char *value) {
    if (!oq_shape_count(&m->shape)) return;
    walk w = {.m = m, .maps = maps, .value = value, .plain = m->shape.rank};
    oq_shape_strides(source, w.from);
    oq_shape_strides(&m->shape, w.to);
    while (w.plain > 0) {
        const int d = w.plain - 1;
        bool same = m->shape.dim[d] == source->dim[d];
        for (int64_t i = 0; same && i < source->dim[d]; ++i) same = maps->map[d][i] == i;
        if (!same) break;
        w.plain = d;
    }
    axis(&w, 0, m->to, from);
}
