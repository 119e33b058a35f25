// Register tiles and the loops over a block of them; what happens to finished sums.
#include "kernels/block.h"

#define WIDE (2 * OQ_NV) // vectors of a tile with few rows: two panels at once hide the latency of the adder

typedef struct tile {
    size_t groups;
    const int32_t *a, *b;
    size_t b_panel;
    const int32_t *from; // sums so far, or NULL: zero
    size_t from_stride;
    int32_t *to;
    size_t to_stride;
} tile;

OQ_INLINE vi multiply_add(vi sum, vi a, vi b, oq_kind kind) {
    if (oq_kind_is_f32(kind)) return vf_bits(vf_fma(vf_from_bits(a), vf_from_bits(b), vf_from_bits(sum)));
    return kind == OQ_KIND_8_ROWS ? vi_dot_units(sum, a, b) : vi_dot_units(sum, b, a);
}

// rows, vectors and kind are constants in every instance, so that the sums live in registers.
OQ_INLINE void compute_tile(const tile *t, const int rows, const int vectors, const oq_kind kind) {
    vi sum[OQ_MR][WIDE];
    OQ_EACH(i, rows) {
        OQ_EACH(v, vectors) {
            sum[i][v] = vi_set1(0);
            if (t->from) sum[i][v] = vi_load(t->from + (size_t)i * t->from_stride + (size_t)(v * OQ_W));
        }
    }
    const int32_t *a = t->a, *b = t->b;
    const size_t panel = t->b_panel;
    const size_t a_step = oq_kind_by_rows(kind) ? 1 : OQ_MR, a_row = oq_kind_by_rows(kind) ? OQ_A_ROW : 1;
    for (size_t g = t->groups; g > 0; g--, a += a_step, b += OQ_NR) {
        vi column[WIDE];
        OQ_EACH(v, vectors) {
            column[v] = vi_load(b + (size_t)(v / OQ_NV) * panel + (size_t)(v % OQ_NV * OQ_W));
        }
        OQ_EACH(i, rows) {
            const vi one = vi_set1_unit(a + (size_t)i * a_row);
            OQ_EACH(v, vectors) { sum[i][v] = multiply_add(sum[i][v], one, column[v], kind); }
        }
    }
    OQ_EACH(i, rows) {
        OQ_EACH(v, vectors) { vi_store(t->to + (size_t)i * t->to_stride + (size_t)(v * OQ_W), sum[i][v]); }
    }
}

typedef void (*tile_function)(const tile *t);
typedef struct tile_row {
    tile_function narrow, full, wide; // 1, OQ_NV, 2 * OQ_NV vectors
} tile_row;

#define TILE(kind, name, rows)                                                                               \
    static void name##_narrow_##rows(const tile *t) { compute_tile(t, rows, 1, kind); }                      \
    static void name##_full_##rows(const tile *t) { compute_tile(t, rows, OQ_NV, kind); }
#define TILE_WIDE(kind, name, rows)                                                                          \
    TILE(kind, name, rows)                                                                                   \
    static void name##_wide_##rows(const tile *t) { compute_tile(t, rows, WIDE, kind); }
#define ROW(name, rows)                                                                                      \
    { name##_narrow_##rows, name##_full_##rows, NULL }
#define ROW_WIDE(name, rows)                                                                                 \
    { name##_narrow_##rows, name##_full_##rows, name##_wide_##rows }

// clang-format off
#if OQ_MR == 14
#define TILES(kind, name)                                                                                    \
    TILE_WIDE(kind, name, 1) TILE_WIDE(kind, name, 2) TILE_WIDE(kind, name, 3) TILE_WIDE(kind, name, 4)      \
    TILE_WIDE(kind, name, 5) TILE_WIDE(kind, name, 6) TILE(kind, name, 7) TILE(kind, name, 8)                \
    TILE(kind, name, 9) TILE(kind, name, 10) TILE(kind, name, 11) TILE(kind, name, 12)                       \
    TILE(kind, name, 13) TILE(kind, name, 14)                                                                \
    static const tile_row name[OQ_MR] = {                                                                    \
        ROW_WIDE(name, 1), ROW_WIDE(name, 2), ROW_WIDE(name, 3), ROW_WIDE(name, 4), ROW_WIDE(name, 5),       \
        ROW_WIDE(name, 6), ROW(name, 7), ROW(name, 8), ROW(name, 9), ROW(name, 10), ROW(name, 11),           \
        ROW(name, 12), ROW(name, 13), ROW(name, 14)};
#elif OQ_MR == 6
#define TILES(kind, name)                                                                                    \
    TILE_WIDE(kind, name, 1) TILE_WIDE(kind, name, 2) TILE_WIDE(kind, name, 3)                               \
    TILE(kind, name, 4) TILE(kind, name, 5) TILE(kind, name, 6)                                              \
    static const tile_row name[OQ_MR] = {ROW_WIDE(name, 1), ROW_WIDE(name, 2), ROW_WIDE(name, 3),            \
                                         ROW(name, 4), ROW(name, 5), ROW(name, 6)};
#else
#define TILES(kind, name)                                                                                    \
    TILE_WIDE(kind, name, 1) TILE_WIDE(kind, name, 2) TILE(kind, name, 3) TILE(kind, name, 4)                \
    static const tile_row name[OQ_MR] = {ROW_WIDE(name, 1), ROW_WIDE(name, 2), ROW(name, 3), ROW(name, 4)};
#endif
// clang-format on

TILES(OQ_KIND_F32_ROWS, f32_rows)
TILES(OQ_KIND_F32_STRIPS, f32_strips)
TILES(OQ_KIND_8_ROWS, bytes_rows)
TILES(OQ_KIND_8_STRIPS, bytes_strips)

static const tile_row *const tables[] = {[OQ_KIND_F32_ROWS] = f32_rows,
                                         [OQ_KIND_F32_STRIPS] = f32_strips,
                                         [OQ_KIND_8_ROWS] = bytes_rows,
                                         [OQ_KIND_8_STRIPS] = bytes_strips};

// Adds bias, clamps: rows x columns sums with row stride `stride` into C at (row, column) of the block.
static void finish_f32(const oq_block *b, const int32_t *sums, size_t stride, size_t row, size_t column,
                       size_t rows, size_t columns) {
    const oq_finish_f32 *f = &b->finish_f32;
    const vf low = vf_set1(f->low), high = vf_set1(f->high);
    for (size_t i = 0; i < rows; i++) {
        const vf row_bias = vf_set1(f->row_bias ? f->row_bias[row + i] : 0.0f);
        int32_t *c = b->c + (row + i) * b->ldc + column;
        for (size_t j = 0; j < columns; j += OQ_W) {
            const size_t n = columns - j;
            vf x = vf_from_bits(vi_load(sums + i * stride + j));
            if (f->column_bias) x = vf_add(x, vf_load_up_to(f->column_bias + column + j, n));
            if (f->row_bias) x = vf_add(x, row_bias);
            if (f->clamp) {
                x = vf_select(vf_lt(x, low), low, x);
                x = vf_select(vf_lt(high, x), high, x);
            }
            vi_store_up_to(c + j, vf_bits(x), n);
        }
    }
}

static void finish_8(const oq_block *b, const int32_t *sums, size_t stride, size_t row, size_t column,
                     size_t rows, size_t columns) {
    const oq_finish_8 *f = &b->finish_8;
    const oq_requantize *q = f->requantize;
    for (size_t i = 0; i < rows; i++) {
        const size_t r = row + i;
        const vi row_term = vi_set1(f->row_term ? f->row_term[r] : 0);
        for (size_t j = 0; j < columns; j += OQ_W) {
            const size_t n = columns - j, at = column + j;
            vi x = vi_add(vi_load(sums + i * stride + j), row_term);
            if (f->column_term) x = vi_add(x, vi_load_up_to(f->column_term + at, n));
            for (int t = 0; t < 2; t++)
                if (f->cross_row[t])
                    x = vi_add(
                        x, vi_mul(vi_set1(f->cross_row[t][r]), vi_load_up_to(f->cross_column[t] + at, n)));
            if (!q) {
                vi_store_up_to(b->c + r * b->ldc + at, x, n);
                continue;
            }
            const vf multiplier = f->column_multiplier
                                      ? vf_load_up_to(f->column_multiplier + at, n)
                                      : vf_set1(f->row_multiplier ? f->row_multiplier[r] : q->multiplier[0]);
            vi_store_8_up_to(f->out + r * b->ldc + at,
                             oq_requantize_vector(x, multiplier, q->zero_point, q->is_signed), n);
        }
    }
}

static bool needs_finish(const oq_block *b) {
    if (!b->last) return false;
    const oq_finish_f32 *f = &b->finish_f32;
    if (oq_kind_is_f32(b->kind)) return f->row_bias || f->column_bias || f->clamp;
    return b->finish_8.row_term || b->finish_8.column_term || b->finish_8.cross_row[0] ||
           b->finish_8.cross_row[1] || b->finish_8.requantize;
}

// `columns` units and zeros up to whole vectors.
static void copy_columns(int32_t *to, const int32_t *from, size_t columns, size_t vectors) {
    for (size_t j = 0; j < vectors * OQ_W; j += OQ_W)
        vi_store(to + j, j < columns ? vi_load_up_to(from + j, columns - j) : vi_set1(0));
}

// One tile, through a buffer where its columns are not whole vectors or its sums get finished.
static void run_tile(const oq_block *b, tile *t, size_t row, size_t column, size_t rows, size_t columns,
                     size_t vectors, bool finish) {
    const tile_row *functions = &tables[b->kind][rows - 1];
    const tile_function compute = vectors == 1       ? functions->narrow
                                  : vectors == OQ_NV ? functions->full
                                                     : functions->wide;
    const bool whole = columns == vectors * OQ_W;
    const size_t stride = vectors * OQ_W;
    int32_t *const c = b->c ? b->c + row * b->ldc + column : NULL;
    int32_t buffer[OQ_MR * WIDE * OQ_W] __attribute__((aligned(64)));
    t->from = b->first ? NULL : c;
    t->from_stride = t->to_stride = b->ldc;
    t->to = c;
    if (!whole || finish) {
        t->to = buffer;
        t->to_stride = stride;
    }
    if (!whole && !b->first) {
        for (size_t i = 0; i < rows; i++) copy_columns(buffer + i * stride, c + i * b->ldc, columns, vectors);
        t->from = buffer;
        t->from_stride = stride;
    }
    compute(t);
    if (finish)
        (oq_kind_is_f32(b->kind) ? finish_f32 : finish_8)(b, buffer, stride, row, column, rows, columns);
    else if (!whole)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j += OQ_W)
                vi_store_up_to(c + i * b->ldc + j, vi_load(buffer + i * stride + j), columns - j);
}

void OQ_FN(block)(const oq_block *b) {
    if (b->rows == 0) return;
    const bool finish = needs_finish(b);
    const bool few_rows = b->rows <= OQ_MR && tables[b->kind][b->rows - 1].wide;
    tile t = {.groups = b->groups, .b_panel = b->b_panel};
    for (size_t column = 0; column < b->columns;) {
        const size_t left = b->columns - column;
        const size_t vectors = left <= OQ_W ? 1 : few_rows && left > OQ_NR ? WIDE : OQ_NV;
        const size_t columns = oq_least(left, vectors * OQ_W);
        t.b = b->b + column / OQ_NR * b->b_panel;
        for (size_t row = 0; row < b->rows; row += OQ_MR) {
            t.a = b->a + row / OQ_MR * b->a_strip;
            run_tile(b, &t, row, column, oq_least(b->rows - row, OQ_MR), columns, vectors, finish);
        }
        column += columns;
    }
}
