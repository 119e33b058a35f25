// Which rows of layers share a scale when they are split.
#include "passes/split_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROUNDS = 4 };
// Cutting two parts anew must take away this share of their error.
#define WORTH_MOVING 1e-6
// A part more must take away this share of the error of the whole, and this one where nothing else tells what
// it is worth.
#define LEAST_SHARE   0.02
#define WITHOUT_PRICE 0.15

typedef struct ranked {
    double score;
    size_t channel;
} ranked;

typedef struct finder {
    oq_row_parts *r;
    ranked *list, *best; // [channels] of one or two parts
    double *tail;        // [channels + 1] errors of what is behind a place in the list
} finder;

static int by_score(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->channel < y->channel ? -1 : 1;
}

// The channels of parts `a` and `b`.
static size_t collect(const finder *f, size_t a, size_t b) {
    size_t n = 0;
    for (size_t c = 0; c < f->r->channels; c++)
        if (f->r->part_of[c] == a || f->r->part_of[c] == b) f->list[n++] = (ranked){0, c};
    return n;
}

// First the channels whose rows would cost most by setting the scale of a part that holds all: in layer
// `by`, or in any when there is no such layer.
static void sort_list(const finder *f, size_t n, size_t by) {
    const oq_row_parts *r = f->r;
    for (size_t i = 0; i < n; i++) f->list[i].score = 0;
    for (size_t l = 0; l < r->layers; l++) {
        double weight = 0;
        if (by < r->layers && by != l) continue;
        for (size_t i = 0; i < n; i++) weight += r->weight[l * r->channels + f->list[i].channel];
        for (size_t i = 0; i < n; i++)
            f->list[i].score = fmax(f->list[i].score, weight * r->size[l * r->channels + f->list[i].channel]);
    }
    qsort(f->list, n, sizeof *f->list, by_score);
}

// Squares of one layer's largest weights, and the sums of what they cost, as a list grows.
typedef struct growing {
    double most, weight;
} growing;

static double grow(const oq_row_parts *r, growing *g, size_t layer, size_t channel) {
    g->most = fmax(g->most, r->size[layer * r->channels + channel]);
    g->weight += r->weight[layer * r->channels + channel];
    return g->most * g->weight;
}

// Adds the errors of list[at..n) to tail[at], and of list[0..at) to the numbers that come back in its place.
static void sum_errors(const finder *f, size_t n, double *head) {
    memset(f->tail, 0, (n + 1) * sizeof *f->tail);
    memset(head, 0, (n + 1) * sizeof *head);
    for (size_t l = 0; l < f->r->layers; l++) {
        growing from_end = {0}, from_start = {0};
        for (size_t i = n; i-- > 0;) f->tail[i] += grow(f->r, &from_end, l, f->list[i].channel);
        for (size_t i = 0; i < n; i++) head[i + 1] += grow(f->r, &from_start, l, f->list[i].channel);
    }
}

// The least error of the first n channels of the list cut in two, the first part list[0..*cut) of f->best.
static double best_cut(const finder *f, size_t n, size_t *cut) {
    double least = INFINITY, *head = f->tail + f->r->channels + 1;
    for (size_t by = 0; by <= f->r->layers; by++) {
        if (by == f->r->layers && by == 1) break; // the same order
        sort_list(f, n, by);
        sum_errors(f, n, head);
        bool better = false;
        for (size_t at = f->r->step; at < n; at += f->r->step)
            if (head[at] + f->tail[at] < least) least = head[at] + f->tail[at], *cut = at, better = true;
        if (better) memcpy(f->best, f->list, n * sizeof *f->best);
    }
    return least;
}

double oq_row_parts_error(const oq_row_parts *r, size_t layer, size_t part) {
    growing g = {0};
    for (size_t c = 0; c < r->channels; c++)
        if (r->part_of[c] == part) grow(r, &g, layer, c);
    return g.most * g.weight;
}

double oq_row_parts_price(double price, double whole) {
    return price > 0 ? fmax(price, LEAST_SHARE * whole) : WITHOUT_PRICE * whole;
}

static double error_of(const finder *f, size_t part) {
    double sum = 0;
    for (size_t l = 0; l < f->r->layers; l++) sum += oq_row_parts_error(f->r, l, part);
    return sum;
}

static void assign(const finder *f, size_t n, size_t cut, size_t first, size_t second) {
    for (size_t i = 0; i < n; i++) f->r->part_of[f->best[i].channel] = i < cut ? first : second;
}

// Cuts the part in two where that gains most; false when there is none.
static bool cut_one(const finder *f) {
    oq_row_parts *r = f->r;
    double most = 0;
    size_t which = 0, cut = 0;
    for (size_t p = 0; p < r->parts; p++) {
        size_t at = 0;
        const double gain = error_of(f, p) - best_cut(f, collect(f, p, p), &at);
        if (gain > most) most = gain, which = p;
    }
    if (!(most > 0)) return false;
    const size_t n = collect(f, which, which);
    best_cut(f, n, &cut);
    assign(f, n, cut, which, r->parts++);
    return true;
}

// The part that is no multiple of the step stays the last one of a pair's cut, so the step holds for all but
// one part.
static void cut_pairs_anew(const finder *f) {
    oq_row_parts *r = f->r;
    bool moved = true;
    for (int round = 0; moved && round < MOST_ROUNDS; round++) {
        moved = false;
        for (size_t a = 0; a < r->parts; a++)
            for (size_t b = a + 1; b < r->parts; b++) {
                size_t cut = 0;
                const double was = error_of(f, a) + error_of(f, b);
                const size_t n = collect(f, a, b);
                if (!(best_cut(f, n, &cut) < (1 - WORTH_MOVING) * was)) continue;
                assign(f, n, cut, a, b);
                moved = true;
            }
    }
}

static double total(const finder *f) {
    double sum = 0;
    for (size_t p = 0; p < f->r->parts; p++) sum += error_of(f, p);
    return sum;
}

static void find(const finder *f, size_t *best) {
    oq_row_parts *r = f->r;
    const double whole = error_of(f, 0), price = oq_row_parts_price(r->price, whole);
    double least = whole + price;
    size_t parts = 1;
    while (r->parts < OQ_MOST_ROW_PARTS && cut_one(f)) {
        cut_pairs_anew(f);
        const double error = total(f) + price * (double)r->parts;
        if (!(error < least)) continue;
        least = error;
        parts = r->parts;
        memcpy(best, r->part_of, r->channels * sizeof *best);
    }
    r->parts = parts;
    memcpy(r->part_of, best, r->channels * sizeof *best);
}

oq_status oq_row_parts_find(oq_row_parts *r, oq_error *err) {
    finder f = {.r = r};
    oq_status status = ONNXQ_NO_MEMORY;
    size_t *best = oq_mem_calloc(r->mem, r->channels, sizeof *best, err);
    f.list = oq_mem_calloc(r->mem, r->channels, 2 * sizeof *f.list, err);
    f.tail = oq_mem_calloc(r->mem, r->channels + 1, 2 * sizeof *f.tail, err);
    if (!best || !f.list || !f.tail) goto done;
    f.best = f.list + r->channels;
    memset(r->part_of, 0, r->channels * sizeof *r->part_of);
    r->parts = 1;
    find(&f, best);
    status = ONNXQ_OK;
done:
    oq_mem_free(r->mem, best);
    oq_mem_free(r->mem, f.list);
    oq_mem_free(r->mem, f.tail);
    return status;
}
