// Sums of a layer's input over all places of its windows: each element is read once, whatever the windows
// overlap.
#include "kernels/rows.h"
#include "tune/patches.h"

enum { VECTOR = 64 }; // elements of one that are read at once

// Along the last axis the cells of a line are summed first, [lines, cells along it]; then, for each cell
// along the outer axes, the lines that it meets.
static int last_of(const oq_patches *p) { return p->window.spatial - 1; }

static size_t product(const int64_t *sizes, int count) {
    size_t n = 1;
    for (int a = 0; a < count; a++) n *= (size_t)sizes[a];
    return n;
}

// Each element of a channel is there once, as in a matrix.
static bool is_pointwise(const oq_patches *p) {
    bool same = p->cells == 1;
    for (int a = 0; same && p->convolution && a < p->window.spatial; a++)
        same = p->window.stride[a] == 1 && p->window.out[a] == p->window.in[a];
    return same;
}

size_t oq_patches_lines(const oq_patches *p) {
    if (is_pointwise(p)) return 0;
    return product(p->window.kernel, last_of(p)) * product(p->window.out, last_of(p));
}

void oq_patches_find_lines(const oq_patches *p, int64_t *line_of) {
    const oq_window *w = &p->window;
    const int outer = last_of(p);
    const size_t cells = is_pointwise(p) ? 0 : product(w->kernel, outer), places = product(w->out, outer);
    for (size_t i = 0; i < cells * places; i++) {
        size_t cell = i / places, place = i % places;
        int64_t line = 0, step = 1;
        for (int a = outer; a-- > 0 && line >= 0;) {
            const int64_t at = (int64_t)(place % (size_t)w->out[a]) * w->stride[a] +
                               (int64_t)(cell % (size_t)w->kernel[a]) * w->dilation[a] - w->pad_begin[a];
            line = at < 0 || at >= w->in[a] ? -1 : line + at * step;
            step *= w->in[a];
            place /= (size_t)w->out[a];
            cell /= (size_t)w->kernel[a];
        }
        line_of[i] = line;
    }
}

size_t oq_patches_work(const oq_patches *p) {
    const int last = last_of(p);
    if (is_pointwise(p)) return (p->plane + VECTOR) * sizeof(float);
    return ((size_t)p->window.in[last] + 16) * sizeof(float) +
           product(p->window.in, last) * (size_t)p->window.kernel[last] * sizeof(double);
}

// `count` elements from number `first` on, as float32: in place, or in `to`.
static const float *floats(const oq_patches_source *x, size_t first, size_t count, float *to) {
    if (!x->table) return (const float *)x->data + first;
    oq_rows_dequantize_8((const uint8_t *)x->data + first, x->param.scale, x->param.zero_point, x->is_signed,
                         to, count);
    return to;
}

// Of every `step`-th element from number `first` on, below `end`.
static double sum_of(const float *x, int64_t first, int64_t end, int64_t step) {
    double sum = 0;
    if (step == 1 && first < end) return (double)oq_rows_sum(x + first, (size_t)(end - first));
    for (int64_t i = first; i < end; i += step) sum += (double)x[i];
    return sum;
}

// Of each cell along the last axis: what all cells of one stride class have in common is summed once.
static void sum_line(const oq_window *w, int axis, const float *x, double *cells) {
    const int64_t stride = w->stride[axis], in = w->in[axis];
    int64_t summed = -1;
    double all = 0;
    for (int64_t k = 0; k < w->kernel[axis]; k++) {
        const int64_t from = k * w->dilation[axis] - w->pad_begin[axis],
                      to = from + w->out[axis] * stride; // where the first place behind the last one is
        const int64_t first = (from % stride + stride) % stride;
        if (first != summed) all = sum_of(x, first, in, stride);
        summed = first;
        const double before = sum_of(x, first, from < in ? from : in, stride);
        cells[k] = all - before - sum_of(x, to > first ? to : first, in, stride);
    }
}

static void add_channel(const oq_patches *p, const oq_patches_source *x, const int64_t *line_of, size_t first,
                        void *work, double *sum) {
    const oq_window *w = &p->window;
    const int last = last_of(p);
    const size_t lines = product(w->in, last), length = (size_t)w->in[last], cells = (size_t)w->kernel[last],
                 outer = product(w->kernel, last), places = product(w->out, last);
    double *line_sum = work;
    float *line = (float *)(void *)(line_sum + lines * cells);
    for (size_t l = 0; l < lines; l++)
        sum_line(w, last, floats(x, first + l * length, length, line), line_sum + l * cells);
    for (size_t o = 0; o < outer; o++, sum += cells)
        for (size_t i = 0; i < places; i++)
            for (size_t k = 0; line_of[o * places + i] >= 0 && k < cells; k++)
                sum[k] += line_sum[(size_t)line_of[o * places + i] * cells + k];
}

// Vectors along K, side by side.
static void add_vectors(const oq_patches *p, const oq_patches_source *x, size_t from, size_t to, void *work,
                        double *sum) {
    for (size_t i = 0; i < p->positions; i++)
        for (size_t k = from; k < to; k += VECTOR) {
            const size_t count = to - k < VECTOR ? to - k : VECTOR;
            const float *own = floats(x, i * p->depth + k, count, work);
            for (size_t j = 0; j < count; j++) sum[k + j] += (double)own[j];
        }
}

void oq_patches_add_up(const oq_patches *p, const oq_patches_source *x, const int64_t *line_of, size_t from,
                       size_t to, void *work, double *sum) {
    const size_t images = p->places ? p->positions / p->places : 0;
    const bool pointwise = is_pointwise(p);
    if (!p->convolution && p->plane == 1) {
        add_vectors(p, x, from, to, work, sum);
        return;
    }
    for (size_t i = 0; i < images; i++)
        for (size_t c = from; c < to; c++) {
            const size_t first = (i * p->channels + c) * p->plane;
            if (pointwise)
                sum[c] += (double)oq_rows_sum(floats(x, first, p->plane, work), p->plane);
            else
                add_channel(p, x, line_of, first, work, sum + c * p->cells);
        }
}
